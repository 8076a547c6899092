"""What stays beside a proxy: a small process of trio and the engine; no YAML, models or CLI."""
