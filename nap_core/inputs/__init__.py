"""The outside world, translated once at the border: images, models, weights, archives, demos."""
