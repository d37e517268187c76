"""Test data that benchmarks and tests share: cells, runs, answers, and loopback boards that need no hardware."""
