"""Configuration: documents become typed models, models become resources."""
