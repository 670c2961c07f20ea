"""One run: characterization, evaluation, results and their files."""
