"""The tests of all packages and the builders that they share."""
