"""The border: Python and the real engine."""
