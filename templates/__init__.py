"""Jinja2 templates of metalrom; data only, no code."""
