//! Compares the old files with the new ones, on the host.

use std::{
    fmt::Write as _,
    io::{self, Write},
    process::{Command, Stdio},
};

use zts_cli::{Failure, count_noun, data, format_table, printable_line, shell_word};

use crate::model::{HostPlan, NewFile};

/// The directory of our module's templates.
const TEMPLATE_DIRECTORY: &str = "/run/vault-templates";

/// A shell function that prints one word for two files. `cmp` compares byte by byte, and prints
/// nothing of them.
const SCRIPT: &str = "\
compare() {
  if [ ! -e \"$1\" ]; then echo no-old
  elif [ ! -e \"$2\" ]; then echo no-new
  elif cmp -s -- \"$1\" \"$2\"; then echo same
  elif [ -r \"$1\" ] && [ -r \"$2\" ]; then echo differs
  else echo unreadable
  fi
}
";

/// Two paths on the host.
struct Pair {
    old: String,
    new: String,
}

/// Compares all files of a host on this machine, or on the destination of ssh.
///
/// # Errors
/// Several hosts, a failed ssh, and files that are not the same.
pub(crate) fn verify(plans: &[HostPlan], destination: &str) -> Result<(), Failure> {
    let [plan] = plans else {
        return Err(
            Failure::usage("`--verify` compares one host, and there are several")
                .hint("add the name of one host to the command"),
        );
    };
    let pairs = pairs(plan);
    if pairs.is_empty() {
        return Err(Failure::usage(format_args!("{}: nothing moves", plan.name)));
    }
    let answers = compare(&pairs, destination)?;
    let mut rows = vec![["", "OLD", "NEW"].map(str::to_owned)];
    let mut wrong = 0;
    for (pair, answer) in pairs.iter().zip(&answers) {
        let (is_right, word) = describe(answer)?;
        wrong += usize::from(!is_right);
        rows.push([
            word.to_owned(),
            printable_line(&pair.old),
            printable_line(&pair.new),
        ]);
    }
    data(format_table(&rows).join("\n"))?;
    if wrong == 0 {
        return Ok(());
    }
    Err(Failure::failed(format_args!(
        "{}: {} of {} not the same",
        plan.name,
        wrong,
        count_noun(pairs.len(), "file")
    ))
    .hint("keep the old declarations until all are the same; compare as root"))
}

fn describe(answer: &str) -> Result<(bool, &'static str), Failure> {
    Ok(match answer {
        "same" => (true, "same"),
        "differs" => (false, "differs"),
        "no-old" => (false, "old file missing"),
        "no-new" => (false, "new file missing"),
        "unreadable" => (false, "cannot be read"),
        _ => {
            return Err(Failure::failed("the comparison on the host ended early")
                .hint("see the messages of ssh above"));
        }
    })
}

fn pairs(plan: &HostPlan) -> Vec<Pair> {
    let directory = &plan.secrets_directory;
    let files = plan.secrets.iter().flat_map(|secret| {
        secret
            .files
            .iter()
            .map(move |NewFile { name, old, .. }| Pair {
                old: old.path.clone(),
                new: format!("{directory}/{}/{name}", secret.name),
            })
    });
    let templates = plan.templates.iter().map(|template| Pair {
        old: template.path.clone(),
        new: format!("{TEMPLATE_DIRECTORY}/{0}/{0}", template.name),
    });
    files.chain(templates).collect()
}

/// Returns one word for each pair.
fn compare(pairs: &[Pair], destination: &str) -> Result<Vec<String>, Failure> {
    let mut script = SCRIPT.to_owned();
    for Pair { old, new } in pairs {
        // writing to a String cannot fail
        let _ = writeln!(script, "compare {} {}", shell_word(old), shell_word(new));
    }
    let mut command = if destination.is_empty() {
        Command::new("sh")
    } else {
        let mut ssh = Command::new("ssh");
        ssh.args(["--", destination, "sh"]);
        ssh
    };
    let program = command.get_program().to_string_lossy().into_owned();
    let failed =
        |cause: io::Error| Failure::failed(format_args!("could not run `{program}`: {cause}"));
    let mut child = command
        .env_remove("BAO_TOKEN")
        .env_remove("VAULT_TOKEN")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // a shell that ended says why by its status
        let _ = input.write_all(script.as_bytes());
    }
    let output = child.wait_with_output().map_err(failed)?;
    if !output.status.success() {
        return Err(Failure::failed(format_args!(
            "`{program}` failed: {}",
            output.status
        )));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut answers: Vec<_> = text.lines().map(ToOwned::to_owned).collect();
    answers.resize(pairs.len(), String::new());
    Ok(answers)
}
