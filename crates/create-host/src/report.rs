//! The report of a run: lines on stderr, or JSON on stdout.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};
use zts_cli::{Failure, note, printable_line, shell_word, warn};

use crate::{
    change::FileChange,
    cli::HostArguments,
    failure::append_hint,
    host_access::{Difference, ObjectKind},
    json::{ErrorReport, write_diff, write_json},
    more_policies::MorePolicies,
    server::{Apply, HostChanges, ObjectChange},
};

/// The result of a run, as `--json` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    host: String,
    /// `create` or `remove`.
    action: &'static str,
    dry_run: bool,
    /// The environment of the host, if the fleet has environments.
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    /// The type of the host, if the fleet has types.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    host_type: Option<String>,
    /// True if anything was changed or, in a dry run, would be.
    changed: bool,
    files: Vec<FileReport>,
    /// `None` if OpenBao was not contacted.
    openbao: Option<OpenBaoReport>,
    /// `None` if Nix was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluation: Option<EvaluationState>,
    warnings: Vec<String>,
    /// The diff of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorReport>,
    #[serde(skip)]
    as_json: bool,
    /// The reason why a dry run could not read the host's role and policy.
    #[serde(skip)]
    openbao_failure: Option<String>,
    /// The finished steps, for the message of a later failure.
    #[serde(skip)]
    done: Vec<String>,
}

#[derive(Debug, Serialize)]
struct FileReport {
    path: String,
    change: &'static str,
}

/// The changes in OpenBao.
#[derive(Debug, Serialize)]
struct OpenBaoReport {
    address: String,
    /// `tofu`, `api` or `none`.
    apply: &'static str,
    policy: Option<ObjectChange>,
    role: Option<ObjectChange>,
    /// The parameters that are updated.
    changes: Vec<Difference>,
    /// The policies that somebody added to the role by hand.
    kept_policies: BTreeSet<String>,
    wrapping_token: TokenState,
    destroyed_secret_ids: usize,
}

/// The state of the wrapping token after the run. The token itself is never shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TokenState {
    /// The old token stays, or none is wanted.
    Unchanged,
    /// A new token was delivered.
    Issued,
    /// No token was issued, because nothing says where it goes.
    None,
    /// The role does not exist yet, so no token can be issued.
    Pending,
}

/// The result of the evaluation by Nix.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EvaluationState {
    Succeeded,
    Failed,
    /// An input of the flake could not be fetched, or Nix does not work.
    Unavailable,
}

/// Describes a difference in one line, or as the diff of a policy's text.
fn describe_difference(difference: &Difference) -> String {
    let Difference {
        parameter,
        from,
        to,
        ..
    } = difference;
    if let (ObjectKind::Policy, Some(from), Some(to)) =
        (difference.object, from.as_str(), to.as_str())
    {
        return describe_lines(from, to);
    }
    let show = |value: &Value| match value {
        Value::Null => "none".to_owned(),
        value => value.to_string(),
    };
    let parameter = printable_line(parameter);
    format!("  {parameter}: {} -> {}", show(from), show(to))
}

/// Describes the lines of a text that differ.
fn describe_lines(from: &str, to: &str) -> String {
    let diff = TextDiff::from_lines(from, to);
    let changed = diff.iter_all_changes().filter_map(|change| {
        let mark = match change.tag() {
            ChangeTag::Equal => return None,
            ChangeTag::Insert => '+',
            ChangeTag::Delete => '-',
        };
        Some(format!("  {mark} {}", change.value().trim_end()))
    });
    changed.collect::<Vec<_>>().join("\n")
}

impl Report {
    pub(crate) fn new(arguments: &HostArguments) -> Self {
        Self {
            host: arguments.hostname.clone().unwrap_or_default(),
            action: if arguments.remove { "remove" } else { "create" },
            dry_run: arguments.dry_run,
            environment: None,
            host_type: None,
            changed: false,
            files: Vec::new(),
            openbao: None,
            evaluation: None,
            warnings: Vec::new(),
            diff: None,
            error: None,
            as_json: arguments.json,
            openbao_failure: None,
            done: Vec::new(),
        }
    }

    /// Sets the environment and the type of the host.
    pub(crate) fn set_choice(&mut self, environment: Option<String>, host_type: Option<String>) {
        self.environment = environment;
        self.host_type = host_type;
    }

    /// Adds the changes of files.
    pub(crate) fn add_files(&mut self, changes: &[FileChange]) {
        for change in changes {
            self.add_file(&change.path, change.verb(), &format!("`{}`", change.path));
        }
    }

    /// Adds the change of one file.
    pub(crate) fn add_file(&mut self, path: &str, verb: &'static str, description: &str) {
        self.add_line(verb, description);
        self.files.push(FileReport {
            path: path.to_owned(),
            change: verb,
        });
    }

    /// Writes the diff of a dry run to stdout, or adds it to the JSON.
    pub(crate) fn write_diff(&mut self, text: &str) -> Result<(), Failure> {
        self.diff = write_diff(text, self.as_json)?;
        Ok(())
    }

    /// Sets the server and the method (`tofu`, `api` or `none`).
    pub(crate) fn set_openbao(&mut self, address: String, method: &'static str) {
        self.openbao = Some(OpenBaoReport {
            address,
            apply: method,
            policy: None,
            role: None,
            changes: Vec::new(),
            kept_policies: BTreeSet::new(),
            wrapping_token: TokenState::Unchanged,
            destroyed_secret_ids: 0,
        });
    }

    /// Adds the changes of policy and role.
    pub(crate) fn add_objects(&mut self, changes: &HostChanges, apply: &Apply) {
        let policy = format!("policy `host-{}`", self.host);
        let role = format!("role `{}`", self.host);
        for (kind, change, object) in [
            (ObjectKind::Policy, changes.policy, policy),
            (ObjectKind::Role, changes.role, role),
        ] {
            if change == ObjectChange::Unchanged {
                continue;
            }
            let description = format!("{object} in OpenBao, through {apply}");
            self.add_line(&change.to_string(), &description);
            let differences = changes.differences.iter();
            for difference in differences.filter(|difference| difference.object == kind) {
                self.note(&describe_difference(difference));
            }
        }
        if let Some(openbao) = &mut self.openbao {
            openbao.policy = Some(changes.policy);
            openbao.role = Some(changes.role);
            openbao.changes.clone_from(&changes.differences);
        }
    }

    /// Adds the policies of the role that somebody added by hand: those that stay, and those that
    /// are taken away if the run writes the role.
    pub(crate) fn add_more_policies(&mut self, policies: &MorePolicies, is_role_written: bool) {
        let role = self.host.clone();
        for name in policies.absent.iter().map(printable_line) {
            self.note(&format!(
                "the role `{role}` does not have the policy `{name}`"
            ));
        }
        let removed = policies.removed.iter().filter(|_| is_role_written);
        for name in removed.map(printable_line) {
            self.add_line(
                "removed",
                &format!("policy `{name}` from the role `{role}`"),
            );
        }
        for policy in &policies.kept {
            let (name, word) = (printable_line(policy), shell_word(policy));
            let has = format!("the role `{role}` also has the policy `{name}`, added by hand");
            let way = format!("`--remove-policy {word}` takes it away");
            if policy == "root" {
                self.warn(format!("{has}: OpenBao refuses all logins with it; {way}"));
            } else {
                self.note(&format!("{has}: kept; {way}"));
            }
        }
        if let Some(openbao) = &mut self.openbao {
            openbao.kept_policies.clone_from(&policies.kept);
        }
    }

    /// Adds the state of the wrapping token.
    pub(crate) fn add_token(&mut self, state: TokenState, description: &str) {
        if state == TokenState::Issued {
            self.add_line("issued", description);
        } else {
            self.note(description);
        }
        if let Some(openbao) = &mut self.openbao {
            openbao.wrapping_token = state;
        }
    }

    /// Adds the number of destroyed secret ids.
    pub(crate) fn add_destroyed(&mut self, count: usize) {
        if count > 0 {
            let plural = if count == 1 { "" } else { "s" };
            let description = format!("{count} old secret id{plural} of `{}`", self.host);
            self.add_line("destroyed", &description);
        }
        if let Some(openbao) = &mut self.openbao {
            openbao.destroyed_secret_ids = count;
        }
    }

    /// Reports one change.
    fn add_line(&mut self, verb: &str, description: &str) {
        self.changed = true;
        if self.as_json {
            return;
        }
        if self.dry_run {
            note(format_args!("would be {verb}: {description}"));
        } else {
            note(format_args!("{verb} {description}"));
        }
    }

    /// Reports a fact that is not a change.
    pub(crate) fn note(&self, text: &str) {
        if !self.as_json {
            note(text);
        }
    }

    /// Warns that a dry run could not read the host's role and policy.
    pub(crate) fn openbao_is_unknown(&mut self, failure: &Failure) {
        let message = failure.message();
        self.warn(format!("OpenBao was not checked: {message}"));
        self.openbao_failure = Some(message.to_string());
    }

    pub(crate) fn warn(&mut self, text: String) {
        warn(&text);
        self.warnings.push(text);
    }

    pub(crate) fn set_evaluation(&mut self, state: EvaluationState) {
        self.evaluation = Some(state);
    }

    /// Adds a finished step, which the message of a later failure names.
    pub(crate) fn add_done(&mut self, step: impl Into<String>) {
        self.done.push(step.into());
    }

    /// Adds to the failure of a later step the finished steps and the way to continue.
    pub(crate) fn interrupt(&self, state: &str, failure: Failure) -> Failure {
        append_hint(
            self.stop(failure.context(state)),
            "run the same command again: it continues from there",
        )
    }

    /// Adds to the failure of a later step the finished steps.
    pub(crate) fn stop(&self, failure: Failure) -> Failure {
        if self.done.is_empty() {
            failure.suffix("nothing was changed")
        } else {
            failure.suffix(format_args!("done before that: {}", self.done.join(", ")))
        }
    }

    /// Ends the run: writes the JSON, or reports that nothing was changed.
    pub(crate) fn finish(mut self, result: Result<(), Failure>) -> Result<(), Failure> {
        if self.as_json {
            self.error = ErrorReport::of(&result);
            write_json(&self)?;
        } else if result.is_ok() && !self.changed {
            let host = &self.host;
            if self.openbao_failure.is_some() {
                note(format_args!(
                    "nothing to change in files; the access of `{host}` in OpenBao is not known"
                ));
            } else {
                let state = if self.action == "remove" {
                    "does not exist"
                } else {
                    "is up to date"
                };
                note(format_args!("nothing to change: `{host}` {state}"));
            }
        }
        result
    }
}
