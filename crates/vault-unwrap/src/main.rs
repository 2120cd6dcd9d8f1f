//! vault-unwrap

fn main() {}
