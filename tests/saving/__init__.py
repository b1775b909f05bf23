"""Models in pickles and files, and fits that are resumed."""
