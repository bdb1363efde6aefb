"""Record what agents say to Ollama, play it back, and name the layer that changed."""

__version__ = "0.1.0"
