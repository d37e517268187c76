"""A Dask cluster that work is spread over: started on this machine, or there already."""
