"""CK+ in its three forms: which one a copy is, what is wrong with it, and the data set in it."""
