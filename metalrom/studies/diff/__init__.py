"""`metalrom diff`: what changed between two finished runs, and why where that can be proved."""
