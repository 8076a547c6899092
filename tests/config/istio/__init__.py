"""Istio's documents."""
