//! The parts that differ between Linux and macOS.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod macos;

#[cfg(target_os = "linux")]
pub(crate) use linux::{command_that_dies_with_parent, die_with_parent, isolate};
#[cfg(not(target_os = "linux"))]
pub(crate) use macos::{command_that_dies_with_parent, die_with_parent, isolate};
