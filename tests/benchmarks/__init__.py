"""Figures, measured and printed, asserted nowhere: ``python -m tests.benchmarks NAME`` runs the module of that name."""
