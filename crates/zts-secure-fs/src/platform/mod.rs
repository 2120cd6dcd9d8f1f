//! The parts that differ between Linux and macOS.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod macos;

#[cfg(target_os = "linux")]
pub(crate) use linux::{ENTRY, lacks_attribute, path_of, read_link};
#[cfg(not(target_os = "linux"))]
pub(crate) use macos::{ENTRY, lacks_attribute, path_of, read_link};
