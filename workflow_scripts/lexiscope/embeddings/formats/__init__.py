"""The files in which the field keeps word vectors: one module a family, one table of them in `read`."""
