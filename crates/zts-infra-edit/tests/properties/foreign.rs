//! Arbitrary files are edited or refused, quickly and without a panic.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use zts_infra_edit::{
    generated, nix,
    vms::{self, MapPlace},
};

/// The pieces of sources, valid or not.
const PIECES: [&str; 48] = [
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "\"",
    "''",
    "${",
    "''${",
    "$$",
    "\\",
    "=",
    ";",
    ",",
    ":",
    "@",
    "...",
    ".",
    "?",
    "!",
    "-",
    "++",
    "//",
    "->",
    "let ",
    " in ",
    "with ",
    "assert ",
    "if ",
    " then ",
    " else ",
    "rec ",
    "inherit ",
    "#",
    "/*",
    "*/",
    "\n",
    "\r\n",
    " ",
    "nixosConfigurations",
    "outputs",
    "locals",
    "vms",
    "<<-EOT\n",
    "EOT\n",
    "1e999",
    "ü\u{feff}\0",
];

fn source() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(&PIECES[..]).prop_map(str::to_owned);
    let word = prop_oneof![4 => pieces, 1 => "\\PC{0,8}"];
    // repeated pieces nest deep
    let run = (word, prop_oneof![9 => 1..3_usize, 1 => 1..3000_usize]);
    prop::collection::vec(run, 0..40).prop_map(|runs| {
        runs.iter()
            .map(|(word, times)| word.repeat(*times))
            .collect()
    })
}

/// Generates an example file with a random insertion.
fn spoilt(example: &'static str) -> impl Strategy<Value = String> {
    (0..=example.len(), source()).prop_map(move |(place, put)| {
        let place = (0..=place)
            .rev()
            .find(|place| example.is_char_boundary(*place));
        let (before, after) = example.split_at(place.unwrap_or(0));
        format!("{before}{put}{after}")
    })
}

const FLAKE: &str = include_str!("../../../../example/flake.nix");
const VMS: &str = include_str!("../../../../example/terraform/vms.tf");
const GENERATED: &str = include_str!("../../../../example/terraform/vault/hosts-generated.tf");

/// A limit that no edit reaches, even unoptimised on a busy machine.
const LONG: Duration = Duration::from_secs(20);

proptest! {
    #![proptest_config(crate::config())]

    #[test]
    fn a_flake(source in prop_oneof![source(), spoilt(FLAKE)]) {
        let started = Instant::now();
        let _ = nix::list_configurations(&source);
        let _ = nix::add_configuration(&source, "new", "mkHost \"new\"");
        let _ = nix::remove_configuration(&source, "web01");
        prop_assert!(started.elapsed() < zts_testkit::scale_timeout(LONG));
    }

    #[test]
    fn machines(source in prop_oneof![source(), spoilt(VMS)]) {
        let started = Instant::now();
        let _ = vms::list_vms(&source, &MapPlace::default());
        let _ = vms::add_vm(&source, &MapPlace::default(), "new", "ip = \"10.0.0.2/16\"");
        let _ = vms::set_wrapping_token(&source, &MapPlace::default(), "web01", "token");
        let _ = vms::remove_vm(&source, &MapPlace::default(), "web01");
        prop_assert!(started.elapsed() < zts_testkit::scale_timeout(LONG));
    }

    #[test]
    fn the_generated_file(source in prop_oneof![source(), spoilt(GENERATED)]) {
        let started = Instant::now();
        let _ = generated::parse_hosts(&source);
        prop_assert!(started.elapsed() < zts_testkit::scale_timeout(LONG));
    }
}
