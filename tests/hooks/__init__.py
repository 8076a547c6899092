"""Hooks in Python, without an engine and with one."""
