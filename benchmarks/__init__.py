"""Training speed and memory of mlp_c beside other libraries: ``python -m benchmarks``."""
