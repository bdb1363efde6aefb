"""Answer as an Ollama would: one HTTP front, and behind it a source of answers."""
