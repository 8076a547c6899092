"""Policy in Python: async functions that the engine asks about requests and connections."""
