"""What stays beside a proxy: a small process of trio and the engine, without YAML, models or CLI."""
