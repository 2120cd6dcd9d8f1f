//! What the program says of itself.

use std::{fs, path::Path};

use testkit::Run;

use crate::drilled::Drill;

#[test]
fn each_metric_is_documented_and_no_other() {
    testkit::require_bao!();
    let drill = Drill::new();
    let save = drill.saving().args(["--dir", &drill.site.dir()]);
    let saved = figures(save, &drill.keys.join("snapshot.prom"));
    let drilled = figures(drill.drill(), &drill.keys.join("drill.prom"));
    testkit::assert_documented("vault-snapshot", &(saved + &drilled));
}

/// What a run that goes well writes to its file of metrics.
fn figures(run: Run, file: &Path) -> String {
    let output = run.arg("--metrics-file").arg(file).run();
    assert_eq!(output.code(), Some(0), "{output}");
    fs::read_to_string(file).unwrap()
}
