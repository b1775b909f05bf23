"""How a network is trained: data, losses, update rules, and the loop over epochs."""
