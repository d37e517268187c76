"""Compression: groups of coupled channels, the choice of which to remove, and tuning by distillation. Imports Keras."""
