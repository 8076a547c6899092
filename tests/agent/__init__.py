"""What stays beside a proxy: handing over, watching, its place on disk."""
