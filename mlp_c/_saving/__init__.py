"""How what was fitted is saved, and checked when it is read."""
