"""Translation of SPICE decks to VACASK's language: every subcircuit expanded, every value a number."""
