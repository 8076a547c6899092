"""Documents, models, resources: everything before the border."""
