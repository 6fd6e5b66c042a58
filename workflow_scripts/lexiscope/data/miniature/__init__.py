"""The miniature: a seeded artificial language, and data sets in the official formats made from it.

Its meaning is known, because it was drawn first and the texts afterwards. Every lemma has a latent vector
and a topic profile (`language`); which words keep company follows from them (`preferences`); a small
phrase-structure grammar makes sentences that keep their tree, tense, numbers and topic (`grammar`); and
from the sentences come corpora (`corpus`), from the latents word-similarity sets (`similarity`) and
brain-like matrices (`brain`). Stocks of new sentences (`sentences`) give labelled ones (`opinions`,
`questions`), pairs of known likeness (`paraphrases`, `pairs`), probing tasks (`probing`) and treebanks
(`dependencies`, `treebanks`). `write` puts everything under one data root, laid out like the real one.
"""
