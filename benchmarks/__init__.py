"""Speed and memory of mlp_c beside other libraries.

``python -m benchmarks`` measures cases, ``benchmarks.kernels`` the kernels one by one,
``benchmarks.docs`` writes docs/benchmarks.md, ``benchmarks.guard`` counts instructions.
"""
