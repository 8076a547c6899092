//! Which route a request takes: hosts, paths, methods, headers, query.
