//! vault-fetch

fn main() {}
