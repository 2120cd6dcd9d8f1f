//! What the pages say is so: links, lists, references, and the tests that they name.
#![expect(clippy::expect_used, reason = "a test that cannot look has failed")]

mod evidence;
mod html;
mod links;
mod reference;
mod summary;
