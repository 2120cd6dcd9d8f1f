//! create-host
