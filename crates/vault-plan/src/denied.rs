//! What the operator's own token may not ask, all of it in one error.

use std::collections::BTreeSet;

use cli::Failure;
use openbao::{Client, Error, token};

/// As many paths as a person reads.
const SHOWN: usize = 5;

/// A question: the path, and the right that it needs.
pub(crate) type Need = (String, &'static str);

/// The paths that the operator may not ask, with the right that is missing on each.
#[derive(Debug, Default)]
pub(crate) struct Denied(BTreeSet<Need>);

impl Denied {
    /// Keeps a refusal for later, so that one error tells of all of them; `None` then.
    pub(crate) fn note<T>(
        &mut self,
        right: &'static str,
        answer: Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Denied { path, .. }) => {
                self.0.insert((path, right));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The error, where there is one.
    pub(crate) fn judge(&self, client: &Client) -> Result<(), Failure> {
        if self.0.is_empty() {
            return Ok(());
        }
        if let Err(Error::Denied { .. }) = token::lookup_self(client) {
            return Err(Failure::failed(format_args!(
                "OpenBao at `{}` refused the token: it is not valid, or has not even the policy `default`",
                client.address()
            ))
            .hint("run `bao login`, or set `BAO_TOKEN`"));
        }
        Err(self.failure())
    }

    fn failure(&self) -> Failure {
        let shown = self.0.iter().take(SHOWN);
        let told: Vec<_> = shown
            .clone()
            .map(|(path, right)| format!("`{right}` on `{path}`"))
            .collect();
        let more = self.0.len() - told.len();
        let more = match more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let rules: Vec<_> = shown
            .map(|(path, right)| format!("path \"{path}\" {{\n  capabilities = [\"{right}\"]\n}}"))
            .collect();
        Failure::failed(format_args!(
            "the OpenBao token has not all the rights that this takes; it lacks {}{more}",
            told.join(", ")
        ))
        .hint(format!(
            "work with a token that has a policy with rules such as:\n\n{}",
            rules.join("\n")
        ))
    }
}
