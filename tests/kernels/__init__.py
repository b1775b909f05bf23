"""The functions of the extension: their numbers, bits, memory and refusals."""
