"""Chat grammars: what a prompt must be and what a completion says."""
