//! Checks the pages: links, lists, references, and the tests that they name.
#![expect(clippy::expect_used, reason = "a test that cannot look has failed")]

mod arguments;
mod dependencies;
mod evidence;
mod html;
mod links;
mod messages;
mod named_files;
mod readme;
mod reference;
mod summary;
