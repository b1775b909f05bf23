"""The estimators: scikit-learn's protocols over the training."""
