//! Small fleets in the shapes that people have (`tests/corpus/`), each through its whole life: dry
//! run, creation, the same command again, `--force`, `--remove`; and once more after `init`.
//!
//! `CORPUS=write cargo test -p create-host --test suite corpus` writes the present results as the
//! expected ones; read the diff. `CORPUS_ONLY=tf-` takes the fleets whose names contain that.

mod check;
mod file;
mod life;

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use file::Case;
use life::{Life, Namespace};

/// The smallest number of fleets, so that none is lost.
const LEAST: usize = 90;

#[test]
fn every_fleet_of_the_corpus() {
    zts_testkit::require_bao!();
    zts_testkit::require_program!("git");
    if zts_testkit::find_program("tofu").is_none() {
        zts_testkit::report_skipped("suite::corpus: the format of OpenTofu's files", "no tofu");
    }
    let only = env::var("CORPUS_ONLY").unwrap_or_default();
    let cases = read_corpus(&only);
    let enough = if only.is_empty() { LEAST } else { 1 };
    assert!(cases.len() >= enough, "{} fleets", cases.len());
    let problems: Vec<String> = run_all(&cases)
        .into_iter()
        .filter_map(|(case, outcome)| evaluate(case, outcome))
        .collect();
    report(&cases);
    assert!(
        problems.is_empty(),
        "{} of {} fleets:\n\n{}",
        problems.len(),
        cases.len(),
        problems.join("\n\n")
    );
}

fn read_corpus(wanted: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .filter(|path| path.file_stem().unwrap().to_str().unwrap().contains(wanted))
        .collect();
    paths.sort();
    paths.iter().map(|path| Case::read(path)).collect()
}

/// Runs the fleets side by side, and returns their outcomes in order.
fn run_all(cases: &[Case]) -> Vec<(&Case, Result<(), String>)> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let workers = thread::available_parallelism().map_or(2, |count| count.get().min(8));
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let mut namespace = Namespace::create();
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = run_case(case, &namespace);
                    if outcome.is_err() {
                        namespace = Namespace::create(); // the host may be left in the other
                    }
                    results.lock().unwrap().push((case, outcome));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(case, _)| &case.name);
    results
}

fn run_case(case: &Case, namespace: &Namespace) -> Result<(), String> {
    if env::var("CORPUS").is_ok_and(|task| task == "write") {
        write_result(case, &Life::begin(case, namespace));
    }
    Life::run_twice(case, namespace)
}

fn write_result(case: &Case, life: &Life<'_>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let path = folder.join(format!("{}.txt", case.name));
    fs::write(path, case.with_result(&life.dry_run())).unwrap();
}

/// Returns the problem of a fleet: it fails, or no longer fails as expected.
fn evaluate(case: &Case, outcome: Result<(), String>) -> Option<String> {
    match (outcome, &case.mark) {
        (Err(problem), None) => Some(format!("### {}\n{problem}", case.name)),
        (Ok(()), Some(mark)) => Some(format!(
            "### {}\nit works: remove its mark `{mark}`",
            case.name
        )),
        (Ok(()), None) | (Err(_), Some(_)) => None,
    }
}

/// Reports the number of marks, past the capturing of the test harness.
fn report(cases: &[Case]) {
    let marked = cases.iter().filter(|case| case.mark.is_some()).count();
    let total = cases.len();
    let _ = writeln!(
        std::io::stderr(),
        "corpus: {total} fleets, {marked} of them expected to fail"
    );
}
