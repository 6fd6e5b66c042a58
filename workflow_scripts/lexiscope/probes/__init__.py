"""Probing tasks made from treebanks."""
