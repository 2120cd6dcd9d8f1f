//! What the doors of all binaries share.
