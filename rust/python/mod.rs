//! The border to Python: translation only.
