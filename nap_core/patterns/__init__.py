"""Activations in, patterns out, and what can be said of them."""
