"""HTTP rules of VirtualServices as native routes."""
