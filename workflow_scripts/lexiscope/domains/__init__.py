"""What documents are about: domain labels, and embeddings of models trained to tell them."""
