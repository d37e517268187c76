"""Networks: one file each and a registry. Importing the registry doesn't import Keras; a network's file does."""
