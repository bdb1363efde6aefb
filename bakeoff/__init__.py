"""Agent tasks with made-up tools, and the loop that plays them.

The loop is an ordinary client, so what it sends is traffic like any agent's: the recorder is tested
with it. Tools answer from a data file, so a conversation depends on the model alone.
"""
