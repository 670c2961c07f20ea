"""Transistor models: device sets as YAML, their corners, and the `.model` text a deck needs."""
