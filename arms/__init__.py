"""Things that can answer a recorded request."""
