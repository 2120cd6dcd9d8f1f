//! The command line.

use clap::Parser;

/// Makes OpenBao's certificates and replaces them before they end
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Arguments {}
