//! vault-unwrap
