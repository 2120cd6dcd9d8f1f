//! The life of one host in a fleet of the corpus, in a namespace of OpenBao.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use similar::TextDiff;
use zts_testkit::{Fleet, Run, RunOutput, Server, normalize_output};

use crate::site::create_namespace;

use super::{
    check,
    file::{Case, Expected},
};
use crate::site::path_without_nix;

/// An option that gives the token a place outside of the fleet.
const TOKEN_OUT: [&str; 2] = ["--token-out", "../web01.token"];

type Files = Vec<(PathBuf, Vec<u8>)>;

/// A namespace of the shared server, with the mounts of the default settings.
pub(super) struct Namespace {
    server: Arc<Server>,
    name: String,
}

impl Namespace {
    pub(super) fn create() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let server = zts_testkit::shared_server();
        let name = format!("corpus-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        create_namespace(&server, &name);
        Self { server, name }
    }

    fn list(&self, path: &str) -> Vec<String> {
        self.server.list(&format!("{}/{path}", self.name))
    }
}

/// A fleet of the corpus on the disk, and the namespace for its host.
pub(super) struct Life<'a> {
    case: &'a Case,
    fleet: Fleet,
    namespace: &'a Namespace,
    host: &'a str,
}

impl<'a> Life<'a> {
    pub(super) fn begin(case: &'a Case, namespace: &'a Namespace) -> Self {
        let files = case.files.iter();
        Self {
            case,
            fleet: Fleet::from_files(files.map(|(path, text)| (path.as_str(), text.as_str()))),
            namespace,
            host: case.option("--hostname").expect("a host's name"),
        }
    }

    /// Runs all steps, and once more with the settings that `init` writes. The error is the first
    /// problem.
    pub(super) fn run_twice(case: &'a Case, namespace: &'a Namespace) -> Result<(), String> {
        Self::begin(case, namespace).run()?;
        let life = Self::begin(case, namespace);
        let in_init = |problem| format!("with `init`: {problem}");
        if life.write_settings().map_err(in_init)? {
            return life.run().map_err(in_init);
        }
        Ok(())
    }

    /// Writes the settings. Returns false for a fleet that has them, or whose flake is wrong.
    fn write_settings(&self) -> Result<bool, String> {
        let before = self.fleet.snapshot();
        let mut arguments = vec!["init"];
        if let Some(folder) = self.case.option("--repo") {
            arguments.extend(["--repo", folder]);
        }
        let plain = self.start(&arguments).run();
        if plain.code() == Some(0) {
            let again = self.start(&arguments).run();
            return match (&self.case.answers, again.code()) {
                (None, Some(2)) if again.stderr.contains("exists") => Ok(true),
                _ => Err(format!("{plain}{again}")),
            };
        }
        self.expect_files("a refused `init`", &before)?;
        if self.case.files.iter().any(|(path, _)| path == "fleet.toml") {
            return expect_text("`init`", &plain, "fleet.toml` exists");
        }
        let Some(answers) = &self.case.answers else {
            let Expected::Error(text) = &self.case.expected else {
                return Err(format!("`init` asks:\n{plain}"));
            };
            let same = text.lines().find(|line| line.starts_with("error: "));
            return expect_text("`init`", &plain, same.unwrap_or_default())
                .or_else(|_| expect_text("`init`", &plain, "- `--set "));
        };
        for key in answers.iter().filter_map(|word| word.split_once('=')) {
            expect_text("`init`", &plain, &format!("--set {}=", key.0))?;
        }
        arguments.extend(answers.iter().map(String::as_str));
        succeed("`init` with answers", &self.start(&arguments).run())?;
        Ok(true)
    }

    /// Runs all steps. The error is the first problem.
    fn run(&self) -> Result<(), String> {
        let before = self.fleet.snapshot();
        expect_result("the dry run", &self.case.expected, &self.dry_run())?;
        self.expect_files("the dry run", &before)?;
        match &self.case.expected {
            Expected::Error(_) => self.refuse(&before)?,
            Expected::Diff(diff) => {
                self.create(&before, diff)?;
                self.repeat()?;
                if !self.case.has_flag("--skip-vault") {
                    self.issue_token()?;
                    self.replace_credentials()?;
                }
                self.remove(&before)?;
            }
        }
        Ok(())
    }

    /// Returns the result of the first run with `--dry-run`.
    pub(super) fn dry_run(&self) -> Expected {
        let output = self.call(&["--dry-run"]);
        match output.code() {
            Some(0) => Expected::Diff(output.stdout),
            _ => describe_error(&output),
        }
    }

    fn refuse(&self, before: &Files) -> Result<(), String> {
        let result = describe_error(&self.call(&[]));
        expect_result("the run", &self.case.expected, &result)?;
        self.expect_files("the run", before)?;
        self.expect_nothing_in_openbao()
    }

    fn create(&self, before: &Files, diff: &str) -> Result<(), String> {
        let output = self.call(&[]);
        succeed("the creation", &output)?;
        let after = self.fleet.snapshot();
        let changed = changed_paths(before, &after);
        let located = output.stderr.split("the fleet is `").nth(1);
        let located = located.and_then(|rest| rest.split('`').next());
        for path in shown_paths(diff, self.case.option("--repo").or(located)) {
            if !changed.contains(&path) {
                return Err(format!("the creation did not change `{path}`"));
            }
        }
        check::parse_files(&self.fleet, &changed)?;
        check::keep_format(before, &after)?;
        let skips = self.case.has_flag("--skip-vault");
        if !skips && !self.token_has_place() && !output.stderr.contains("--token-out") {
            return Err(format!("nothing says how to have a token:\n{output}"));
        }
        self.expect_secret_ids("the creation", !skips && self.token_has_place())
    }

    fn repeat(&self) -> Result<(), String> {
        let created = self.fleet.snapshot();
        let output = self.call(&[]);
        succeed("the same command again", &output)?;
        self.expect_files("the same command again", &created)?;
        if output.stderr.contains("nothing to change") {
            return Ok(());
        }
        Err(format!("the same command again did something:\n{output}"))
    }

    /// Issues the token of a host that has none, because nothing said where it goes.
    fn issue_token(&self) -> Result<(), String> {
        if self.token_has_place() {
            return Ok(());
        }
        succeed("--token-out", &self.call(&TOKEN_OUT))?;
        self.expect_secret_ids("--token-out", true)
    }

    fn replace_credentials(&self) -> Result<(), String> {
        let old = self.secret_ids();
        let created = self.fleet.snapshot();
        let place: &[&str] = if self.token_has_place() {
            &[]
        } else {
            &TOKEN_OUT
        };
        succeed("--force", &self.call(&[&["--force"], place].concat()))?;
        let new = self.secret_ids();
        if new.len() != 1 || new == old {
            return Err(format!("--force: secret ids {old:?} became {new:?}"));
        }
        let forced = self.fleet.snapshot();
        check::keep_format(&created, &forced)?;
        check::only_tokens_differ(&created, &forced)
    }

    /// Returns whether the first run knows a place for the token: a map of machines, or an option.
    fn token_has_place(&self) -> bool {
        let Expected::Diff(diff) = &self.case.expected else {
            return false;
        };
        let paths = shown_paths(diff, None);
        let is_code =
            |path: &&String| path.ends_with("-generated.tf") || has_extension(path, "nix");
        let mut files = self.case.files.iter();
        let has_opentofu = files.any(|(path, _)| path.contains(".tf") || path.contains(".tofu"));
        let has_map = has_opentofu && paths.iter().any(|path| !is_code(&path));
        self.case.option("--token-out").is_some() || has_map
    }

    fn remove(&self, before: &Files) -> Result<(), String> {
        let mut arguments = vec!["--hostname", self.host, "--remove"];
        for flag in ["--skip-vault", "--enroll"] {
            if self.case.has_flag(flag) {
                arguments.push(flag);
            }
        }
        for option in ["--repo", "--apply"] {
            if let Some(value) = self.case.option(option) {
                arguments.extend([option, value]);
            }
        }
        succeed("--remove", &self.start(&arguments).run())?;
        self.expect_files("--remove", before)?;
        check::no_empty_folder(self.fleet.path())?;
        self.expect_nothing_in_openbao()
    }

    /// Runs the command of the case with further arguments.
    fn call(&self, more: &[&str]) -> RunOutput {
        let command = self.case.command.iter().map(String::as_str);
        let arguments: Vec<&str> = command.chain(more.iter().copied()).collect();
        self.start(&arguments).run()
    }

    fn start(&self, arguments: &[&str]) -> Run {
        let server = &self.namespace.server;
        Run::new(env!("CARGO_BIN_EXE_create-host"))
            .current_dir(self.fleet.path())
            .server(server)
            .env("BAO_TOKEN", server.root_token())
            .env("BAO_NAMESPACE", &self.namespace.name)
            .env("PATH", path_without_nix())
            .args(arguments)
    }

    fn secret_ids(&self) -> Vec<String> {
        let roles = self.namespace.list("auth/approle/role");
        if !roles.iter().any(|role| role == self.host) {
            return Vec::new(); // OpenBao refuses the list of a role that does not exist
        }
        let role = format!("auth/approle/role/{}", self.host);
        self.namespace.list(&format!("{role}/secret-id"))
    }

    fn expect_secret_ids(&self, step: &str, any: bool) -> Result<(), String> {
        match self.secret_ids().len() {
            count if count == usize::from(any) => Ok(()),
            count => Err(format!("{count} secret ids after {step}")),
        }
    }

    fn expect_nothing_in_openbao(&self) -> Result<(), String> {
        let roles = self.namespace.list("auth/approle/role");
        let mut policies = self.namespace.list("sys/policies/acl");
        policies.retain(|policy| policy != "default");
        let left = [roles, policies].concat();
        if left.is_empty() {
            return Ok(());
        }
        Err(format!("left in OpenBao: {left:?}"))
    }

    fn expect_files(&self, step: &str, expected: &Files) -> Result<(), String> {
        let actual = self.fleet.snapshot();
        let differing = changed_paths(expected, &actual);
        if differing.is_empty() {
            return Ok(());
        }
        let status = self.fleet.git(&["diff"]);
        Err(format!(
            "after {step}, files differ: {differing:?}\n{status}"
        ))
    }
}

/// Checks the message of a run that fails.
fn expect_text(step: &str, output: &RunOutput, text: &str) -> Result<bool, String> {
    if output.code() != Some(0) && normalize_output(&output.stderr).contains(text) {
        return Ok(false);
    }
    Err(format!("{step} does not say `{text}`:\n{output}"))
}

fn describe_error(output: &RunOutput) -> Expected {
    Expected::Error(format!(
        "{}\n{}",
        output.status,
        normalize_output(&output.stderr)
    ))
}

fn succeed(step: &str, output: &RunOutput) -> Result<(), String> {
    match output.code() {
        Some(0) => Ok(()),
        _ => Err(format!("{step} failed:\n{output}")),
    }
}

fn expect_result(step: &str, expected: &Expected, actual: &Expected) -> Result<(), String> {
    if expected == actual {
        return Ok(());
    }
    let text = |result: &Expected| match result {
        Expected::Diff(text) | Expected::Error(text) => text.clone(),
    };
    let (expected, actual) = (text(expected), text(actual));
    let diff = TextDiff::from_lines(&expected, &actual);
    let shown = diff.unified_diff().header("expected", step).to_string();
    Err(format!("{step} has another result:\n{shown}"))
}

/// Returns the paths of the files that only one side has, or that differ.
fn changed_paths(before: &Files, after: &Files) -> BTreeSet<String> {
    let (before, after): (BTreeSet<_>, BTreeSet<_>) =
        (before.iter().collect(), after.iter().collect());
    let differing = before.symmetric_difference(&after);
    differing
        .map(|(path, _)| path.to_string_lossy().into_owned())
        .collect()
}

/// Returns the paths in a diff, from the repository's root.
fn shown_paths(diff: &str, repo: Option<&str>) -> Vec<String> {
    let paths = diff.lines().filter_map(|line| line.strip_prefix("+++ b/"));
    let prefix = repo.map(|folder| format!("{folder}/")).unwrap_or_default();
    paths.map(|path| format!("{prefix}{path}")).collect()
}

fn has_extension(path: &str, wanted: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|extension| extension == wanted)
}
