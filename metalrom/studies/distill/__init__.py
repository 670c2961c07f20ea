"""Distillation: a network of ternary weights learns the hidden states of the float network that it replaces."""
