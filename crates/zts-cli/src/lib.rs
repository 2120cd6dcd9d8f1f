//! Code shared by all programs: their start and end ([`main`]), their failures ([`Failure`]), and
//! the flags and variables of the connection to OpenBao ([`ConnectionArgs`]).

mod connection;
mod delivery_failure;
mod duration;
mod external_programs;
mod failure;
mod flake;
mod key_file;
mod logging;
mod message;
mod platform;
mod printable;
mod program;
mod progress;
mod prompt;
mod signals;
mod table;
mod text_file;
mod token;

pub use connection::{ConnectionArgs, system_trust, variable};
pub use duration::{duration, utc, utc_seconds};
pub use external_programs::{nix_eval, nix_string, on_path, systemctl};
pub use failure::{Failure, Status};
pub use flake::{evaluate_hosts, unknown_host};
pub use key_file::{KeyFile, unusable};
pub use logging::is_verbose;
pub use message::{data, note, warn, warn_of_old_server};
pub use printable::{printable_line, shell_word};
pub use program::{command, main};
pub use progress::Progress;
pub use prompt::{ask, can_ask};
pub use signals::{Held, SignalBlock, with_signals};
pub use table::{count_noun, format_size, format_table, quoted_list};
pub use text_file::read_text;
pub use token::{operator_token, operator_token_in_checkout};
