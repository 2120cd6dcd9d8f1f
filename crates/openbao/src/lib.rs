//! Speaks HTTP to OpenBao.
