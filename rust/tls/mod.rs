//! TLS: credentials, handshakes and the identity that a handshake proves.
