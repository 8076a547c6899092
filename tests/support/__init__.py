"""What tests stand on: raw HTTP, scripted upstreams, certificates, the proxy as a subprocess."""
