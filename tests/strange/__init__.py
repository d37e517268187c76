"""Boards and people that nobody prepared for the harness: OpenSSH's defaults, a fresh home folder, and the guide."""
