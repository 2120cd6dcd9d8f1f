//! vault-fetch
