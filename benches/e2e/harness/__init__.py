"""Measures meshcore beside the proxies that it wants to replace."""
