//! The rights that the operator's own token lacks, all in one error.

use std::collections::BTreeSet;

use zts_cli::Failure;
use zts_openbao::{Client, Error, token};

/// The number of paths in the error.
const SHOWN: usize = 5;

/// Paths, each with the capability that the operator's token lacks on it.
#[derive(Debug, Default)]
pub(crate) struct MissingRights(BTreeSet<(String, &'static str)>);

impl MissingRights {
    /// Records a refusal, so that one error has all of them, and returns `None` then.
    pub(crate) fn record<T>(
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

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Returns the error, if a right is missing.
    pub(crate) fn check(&self, client: &Client) -> Result<(), Failure> {
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
        let rights: Vec<_> = shown
            .clone()
            .map(|(path, right)| format!("`{right}` on `{path}`"))
            .collect();
        let more = self.0.len() - rights.len();
        let more = match more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let rules: Vec<_> = shown
            .map(|(path, right)| format!("path \"{path}\" {{\n  capabilities = [\"{right}\"]\n}}"))
            .collect();
        Failure::failed(format_args!(
            "the OpenBao token lacks the rights {}{more}",
            rights.join(", ")
        ))
        .hint(format!(
            "use a token that has a policy with rules such as:\n\n{}",
            rules.join("\n")
        ))
    }
}
