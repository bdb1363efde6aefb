"""Four agent tasks and the loop that plays them."""
