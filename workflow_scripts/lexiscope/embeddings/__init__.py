"""Stage 3. Embedding spaces: the distributional models that make them, the files that hold them."""
