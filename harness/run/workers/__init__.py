"""A run whose devices are measured by the workers of a Dask cluster, while the controller alone keeps its records."""
