"""Compression: channels that live and die together, which to remove, and tuning by distillation. Imports Keras."""
