"""The study file: its grammar, and how it is read."""
