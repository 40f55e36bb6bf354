"""Neural activation patterns: the groups of inputs that each layer of a trained network treats alike."""
