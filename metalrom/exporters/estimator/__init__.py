"""Exports for architecture and accuracy estimators."""
