"""The installed command as a subprocess, between real clients and real upstreams."""
