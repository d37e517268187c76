"""Runs at an address of fsspec: the objects there, their mirror here, and whose run it is."""
