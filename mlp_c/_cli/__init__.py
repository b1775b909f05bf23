"""The commands of ``python -m mlp_c``."""
