"""Capture: the only room that knows mitmproxy."""
