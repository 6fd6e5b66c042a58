"""Stage 7. Everything in one page."""
