//! Files that `tofu fmt` accepts before an edit are accepted after it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Checks the pairs of the editors of machines that are in HCL.
#[test]
fn tofu_fmt_accepts_after_what_it_accepted_before() {
    let tofu = zts_testkit::require_program!("tofu");
    let folder = zts_testkit::scratch_dir();
    let mut cases = BTreeSet::new();
    for editor in ["vms-add", "vms-learn", "vms-token", "vms-remove"] {
        let data = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data")
            .join(editor);
        for entry in fs::read_dir(&data).unwrap().flatten() {
            let path = entry.path();
            let place = fs::read_to_string(path.with_extension("place")).unwrap_or_default();
            let is_hcl = place.is_empty() || place.starts_with("hcl");
            if is_hcl && path.extension().is_some_and(|extension| extension == "out") {
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                let name = format!("{editor}.{name}");
                for kind in ["in", "out"] {
                    let copy = folder.join(format!("{name}.{kind}.tf"));
                    fs::copy(path.with_extension(kind), copy).unwrap();
                }
                cases.insert(name);
            }
        }
    }
    let output = Command::new(tofu)
        .current_dir(&folder)
        .args(["fmt", "-check", "-list=true", "-write=false"])
        .env("CHECKPOINT_DISABLE", "1")
        .output()
        .unwrap();
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let refused: BTreeSet<&str> = listed.lines().collect();
    let is_accepted =
        |name: &str, kind: &str| !refused.contains(format!("{name}.{kind}.tf").as_str());
    let accepted: Vec<&String> = cases
        .iter()
        .filter(|name| is_accepted(name, "in"))
        .collect();
    assert!(accepted.len() >= 30, "{} cases\n{listed}", accepted.len());
    let broken: Vec<&&String> = accepted
        .iter()
        .filter(|name| !is_accepted(name, "out"))
        .collect();
    assert!(broken.is_empty(), "{broken:?}");
}
