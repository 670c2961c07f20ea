"""Room of metalrom."""
