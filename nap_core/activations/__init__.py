"""Model and images in, pooled activations out: layers, hooks, pooling, one streamed pass."""
