"""What a unit or a pattern looks for: synthetic images with a check, units, places, and robustness."""
