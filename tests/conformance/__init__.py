"""Suites of others: what a protocol's own testers demand."""
