"""A build's trainings as tasks of a Dask cluster. What each does is the code of a build without one."""
