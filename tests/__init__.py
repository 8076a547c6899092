"""Tests of the whole; those of single Rust modules stand beside them."""
