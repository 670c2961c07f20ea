"""Studies above single runs: accuracy, density, comparisons, surrogates, systems."""
