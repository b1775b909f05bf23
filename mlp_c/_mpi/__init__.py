"""Training by several processes together, on MPI."""
