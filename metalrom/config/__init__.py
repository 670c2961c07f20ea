"""Configuration files: their model, loader and messages."""
