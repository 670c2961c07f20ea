"""Vector drawings of stacks, cells and tiles."""
