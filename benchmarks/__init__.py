"""Speed and memory of mlp_c compared with other libraries.

``python -m benchmarks`` measures cases, and ``benchmarks.kernels`` the kernels one by one.
``benchmarks.docs`` writes docs/inside/benchmarks.md. ``benchmarks.guard`` counts instructions.
"""
