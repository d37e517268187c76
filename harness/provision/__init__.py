"""Runtimes for boards: which wheels fit a board's Python, machine and C library; fetched and verified here."""
