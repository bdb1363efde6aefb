"""The source that answers from an arm, as Ollama would with the same weights."""
