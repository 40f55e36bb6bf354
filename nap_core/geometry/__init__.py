"""Kernels on plain arrays: scaling, neighbours, spanning trees, reductions. Nothing here knows of layers or images."""
