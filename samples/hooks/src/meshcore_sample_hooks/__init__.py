"""Three filters for meshcore, written in Cython: api_key, header_rewrite and pii_mask."""
