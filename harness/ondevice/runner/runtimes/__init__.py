"""The board's half of each runtime: one file each, found by the runtime's name."""
