"""The substitute for CK+: drawn faces with CK+'s class counts, subjects and sequences."""
