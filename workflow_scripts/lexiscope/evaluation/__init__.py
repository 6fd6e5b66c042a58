"""Stage 6. Scores of every space on every benchmark."""
