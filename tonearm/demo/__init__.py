"""``tonearm demo``: the whole loop on one machine, without an Ollama and without a network.

Nothing here pretends: a small real model answers real agents through the real recorder, and the
real comparison has to find what is broken on purpose, or the demo fails.
"""
