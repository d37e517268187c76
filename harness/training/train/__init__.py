"""Training: one recipe for all networks. Imports Keras."""
