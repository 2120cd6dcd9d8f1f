//! What a run did: told line by line on stderr, or as JSON on stdout.

use std::io::Write;

use cli::{Failure, data, note, warn};
use serde::Serialize;

use crate::{
    Arguments,
    cli::How,
    plan::Change,
    server::{Outcome, Step},
};

/// The result of a run, as `--json` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    host: String,
    /// `create` or `remove`.
    action: &'static str,
    dry_run: bool,
    /// Whether anything was (or, in a dry run, would be) changed.
    changed: bool,
    files: Vec<FileReport>,
    /// `None` where OpenBao was not asked.
    openbao: Option<OpenBaoReport>,
    warnings: Vec<String>,
    /// The diff of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorReport>,
    #[serde(skip)]
    as_json: bool,
    /// What is done, for the message of a later failure.
    #[serde(skip)]
    done: Vec<String>,
}

#[derive(Debug, Serialize)]
struct FileReport {
    path: String,
    change: &'static str,
}

/// What became of the host in OpenBao.
#[derive(Debug, Serialize)]
pub(crate) struct OpenBaoReport {
    pub(crate) address: String,
    /// `tofu`, `api` or `none`.
    pub(crate) apply: &'static str,
    pub(crate) policy: Option<Step>,
    pub(crate) role: Option<Step>,
    pub(crate) wrapping_token: Token,
    pub(crate) destroyed_secret_ids: usize,
}

/// What became of the wrapping token. It is itself never shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Token {
    /// Nothing: there is one already, or none is wanted.
    Unchanged,
    /// A new one stands in `vms.tf`.
    Issued,
    /// There is no role yet that it could be issued for.
    Pending,
}

#[derive(Debug, Serialize)]
struct ErrorReport {
    message: String,
    hint: Option<String>,
}

impl Report {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        Self {
            host: arguments.hostname.clone(),
            action: if arguments.remove { "remove" } else { "create" },
            dry_run: arguments.dry_run,
            changed: false,
            files: Vec::new(),
            openbao: None,
            warnings: Vec::new(),
            diff: None,
            error: None,
            as_json: arguments.json,
            done: Vec::new(),
        }
    }

    /// Files that were changed, or would be.
    pub(crate) fn files(&mut self, changes: &[Change]) {
        for change in changes {
            self.line(change.kind(), &format!("`{}`", change.path));
            self.files.push(FileReport {
                path: change.path.clone(),
                change: change.kind(),
            });
        }
    }

    /// A file of which only something other than its content was changed.
    pub(crate) fn file(&mut self, path: &str, change: &'static str, what: &str) {
        self.line(change, what);
        self.files.push(FileReport {
            path: path.to_owned(),
            change,
        });
    }

    /// The diff of a dry run, on stdout.
    pub(crate) fn diff(&mut self, text: &str) -> Result<(), Failure> {
        if self.as_json {
            self.diff = Some(anstream::adapter::strip_str(text).to_string());
            return Ok(());
        }
        let mut stdout = anstream::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(|cause| {
                Failure::failed(format_args!(
                    "the diff could not be written to stdout: {cause}"
                ))
            })
    }

    /// OpenBao at `address` is asked.
    pub(crate) fn openbao(&mut self, address: String, how: How) -> &mut OpenBaoReport {
        let apply = match how {
            How::Tofu => "tofu",
            How::Api => "api",
            How::None => "none",
        };
        self.openbao.insert(OpenBaoReport {
            address,
            apply,
            policy: None,
            role: None,
            wrapping_token: Token::Unchanged,
            destroyed_secret_ids: 0,
        })
    }

    /// What became of policy and role; `way` says through what.
    pub(crate) fn applied(&mut self, outcome: Outcome, way: &str) {
        let host = self.host.clone();
        let objects = [
            (outcome.policy, format!("policy `host-{host}`")),
            (outcome.role, format!("role `{host}`")),
        ];
        for (step, object) in objects.iter().filter(|(step, _)| *step != Step::Unchanged) {
            self.line(
                &step.to_string(),
                &format!("{object} in OpenBao, through {way}"),
            );
        }
        if let Some(openbao) = &mut self.openbao {
            openbao.policy = Some(outcome.policy);
            openbao.role = Some(outcome.role);
        }
    }

    pub(crate) fn token(&mut self, token: Token, what: &str) {
        if token == Token::Issued {
            self.line("issued", what);
        } else {
            self.note(what);
        }
        if let Some(openbao) = &mut self.openbao {
            openbao.wrapping_token = token;
        }
    }

    pub(crate) fn destroyed(&mut self, count: usize) {
        if count > 0 {
            let plural = if count == 1 { "" } else { "s" };
            let host = self.host.clone();
            self.line(
                "destroyed",
                &format!("{count} old secret id{plural} of `{host}`"),
            );
        }
        if let Some(openbao) = &mut self.openbao {
            openbao.destroyed_secret_ids = count;
        }
    }

    /// One thing that was changed, or would be.
    fn line(&mut self, verb: &str, what: &str) {
        self.changed = true;
        if self.as_json {
            return;
        }
        if self.dry_run {
            note(format_args!("would be {verb}: {what}"));
        } else {
            note(format_args!("{verb} {what}"));
        }
    }

    /// Something to know that is no change.
    pub(crate) fn note(&self, what: &str) {
        if !self.as_json {
            note(what);
        }
    }

    pub(crate) fn warning(&mut self, what: String) {
        warn(&what);
        self.warnings.push(what);
    }

    /// Something is done: a later failure says so.
    pub(crate) fn done(&mut self, what: impl Into<String>) {
        self.done.push(what.into());
    }

    /// `failure` of a step, with what was done before it and how to go on.
    pub(crate) fn interrupted(&self, step: &str, failure: Failure) -> Failure {
        let failure = failure.context(step);
        let failure = if self.done.is_empty() {
            failure.suffix("nothing was changed")
        } else {
            failure.suffix(format_args!("done before that: {}", self.done.join(", ")))
        };
        crate::failure::and_then(failure, "run the same command again: it goes on from there")
    }

    /// The end of the run.
    pub(crate) fn finish(mut self, result: Result<(), Failure>) -> Result<(), Failure> {
        if self.as_json {
            self.error = result.as_ref().err().map(|failure| ErrorReport {
                message: failure.message().to_owned(),
                hint: failure.hint_text().map(str::to_owned),
            });
            let json = serde_json::to_string_pretty(&self)
                .map_err(|error| Failure::failed(format_args!("the result is no JSON: {error}")))?;
            data(json)?;
        } else if result.is_ok() && !self.changed {
            let action = if self.action == "remove" {
                "is not there"
            } else {
                "is as it should be"
            };
            note(format_args!("nothing to change: `{}` {action}", self.host));
        }
        result
    }
}
