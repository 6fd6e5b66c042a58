"""Stage 4. Language models, and the input and output embeddings inside them."""
