"""Services and DestinationRules as native clusters."""
