"""Searches and predictions by Dask: on workers that are processes, and on workers that are threads.

The folder is not called after Dask's packages: tests/ comes first on the path.
"""
