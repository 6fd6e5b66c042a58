"""Stage 1. Real and generated data behind one catalogue and one layout."""
