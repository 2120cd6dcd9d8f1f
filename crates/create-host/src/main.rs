//! create-host

fn main() {}
