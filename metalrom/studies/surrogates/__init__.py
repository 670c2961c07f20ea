"""Models of a project's figures over keys of its configuration: fitted to simulations, kept in a file, asked."""
