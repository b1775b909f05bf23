"""The machine and the process: threads, CPUs, memory in blocks, warnings."""
