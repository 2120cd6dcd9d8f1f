//! The parts that differ between Linux and macOS.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod macos;

#[cfg(target_os = "linux")]
pub(crate) use linux::hide_memory;
#[cfg(not(target_os = "linux"))]
pub(crate) use macos::hide_memory;
