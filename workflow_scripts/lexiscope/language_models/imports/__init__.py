"""Language models that others trained, and softmax layers from anywhere."""
