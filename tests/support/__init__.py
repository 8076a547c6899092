"""What tests stand on: raw HTTP, scripted upstreams, certificates, and the proxy as a subprocess."""
