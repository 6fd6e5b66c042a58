"""The command line: one's own vectors, without a study file."""
