"""Gemma 4: render and parse, two halves of one grammar."""
