"""Lexiscope: what do the word representations inside a language model know, and what are they good for?"""

__version__ = "0.1.0"
