"""Tasks: anybody's data, how they become a network's input, how they are divided, and what judges the answers."""
