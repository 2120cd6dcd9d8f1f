//! Networks that misbehave, on loopback: what stands between a client and OpenBao, never OpenBao.

mod http;
mod listener;
mod proxy;
mod relay;
mod rules;
mod silent;
mod stream;
mod vault;

pub use listener::BlackHole;
pub use proxy::{Hit, Proxy, Turn};
pub use rules::Trouble;
pub use silent::SilentAddress;
