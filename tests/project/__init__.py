"""The project itself: its package, imports, docstrings and campaigns."""
