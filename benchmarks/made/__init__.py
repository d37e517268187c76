"""What benchmarks and tests both make up: cells, runs, answers, and loopback boards that need no hardware."""
