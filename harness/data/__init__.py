"""Data sets: CK+ in its forms, the synthetic substitute, and splits. It uses no TensorFlow."""
