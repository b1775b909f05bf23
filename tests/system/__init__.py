"""What the package takes of the machine: threads."""
