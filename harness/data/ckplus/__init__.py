"""CK+ in its three forms: detects the form of a copy, checks the copy, and reads the data set."""
