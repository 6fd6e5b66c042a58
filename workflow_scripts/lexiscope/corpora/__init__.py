"""Stage 2. Raw text to a vocabulary and compact integer shards."""
