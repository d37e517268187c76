"""Golden outputs: what this machine's processor answers with the same file and inputs, and how a board's differ."""
