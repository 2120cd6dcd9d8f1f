//! Declarations in files.

use std::path::{Path, PathBuf};

use cli::Failure;
use delivery::Declarations;
use secure_fs::read_text_bounded;
use serde_json::{Map, Value};

use super::{ByHost, understood};

/// More than the declarations of any fleet.
const LARGEST: u64 = 256 << 20;

/// The hosts of all files together.
pub(super) fn declarations(files: &[PathBuf]) -> Result<ByHost, Failure> {
    let mut all = ByHost::new();
    for file in files {
        for (name, declared) in read(file)? {
            if all.insert(name.clone(), declared).is_some() {
                return Err(Failure::usage(format_args!(
                    "`{}` declares host `{name}` a second time",
                    file.display()
                )));
            }
        }
    }
    Ok(all)
}

fn read(file: &Path) -> Result<ByHost, Failure> {
    // `/dev/stdin` is opened and bounded as a file is
    let path = if file == Path::new("-") {
        Path::new("/dev/stdin")
    } else {
        file
    };
    let text = read_text_bounded(path, LARGEST);
    let text = text.map_err(|cause| {
        Failure::usage(format_args!("could not read `{}`: {cause}", file.display()))
    })?;
    hosts(&text).map_err(|failure| {
        failure.context(format_args!(
            "`{}` does not hold declarations of hosts",
            file.display()
        ))
    })
}

/// One host's declarations have its name in them; else they are several, by name.
fn hosts(text: &str) -> Result<ByHost, Failure> {
    let refuse = |error: serde_json::Error| Failure::usage(error);
    let values: Map<String, Value> = serde_json::from_str(text).map_err(refuse)?;
    if !values.get("hostname").is_some_and(Value::is_string) {
        return understood(values);
    }
    let one: Declarations = serde_json::from_str(text).map_err(refuse)?;
    Ok(ByHost::from([(one.hostname.clone(), one)]))
}
