"""What a network is: widths, activations and initial weights."""
