"""Sentence classifiers: many fits on subsets of one data matrix, all at once."""
