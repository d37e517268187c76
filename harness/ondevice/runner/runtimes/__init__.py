"""The on-board half of each runtime, in one file with the runtime's name."""
