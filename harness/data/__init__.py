"""Data: CK+ in its forms, the synthetic stand-in, and splits. numpy only, no TensorFlow."""
