"""Forward passes of real networks in numpy, their tokenizers and weight files; loaded when a module is asked for."""
