"""What a configuration describes: stack, cells, program, testbenches."""
