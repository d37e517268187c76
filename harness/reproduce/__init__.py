"""The paper's whole experiment on one copy of CK+: its stages, how long they take, and how far they are."""
