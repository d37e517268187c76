"""The stand-in for CK+: drawn faces with its class counts, subjects and sequences."""
