"""Findings: what is worth a look, in words, each with its evidence. `search.find_findings` does all searches."""
