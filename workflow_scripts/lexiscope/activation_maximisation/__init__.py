"""Stage 5. Activation maximisation: the input that a softmax unit likes best."""
