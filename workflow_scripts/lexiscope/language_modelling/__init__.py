"""Language-modelling experiments: what frozen embeddings are worth inside LSTM language models."""
