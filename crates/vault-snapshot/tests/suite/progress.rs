//! Progress on a terminal, and nothing of it in a pipe.

use zts_testkit::Run;

use crate::{
    drill::Drill,
    site::{Site, vault_snapshot},
};

fn restore(site: &Site) -> Run {
    vault_snapshot(&["restore", "--yes", "--dir", &site.dir()])
        .env("BAO_ADDR", site.server.address())
        .env("BAO_TOKEN", site.server.root_token())
}

/// Waits two seconds at least until OpenBao has settled.
#[test]
fn a_restore_shows_what_it_waits_for() {
    zts_testkit::require_bao!();
    let script = zts_testkit::require_program!("script");
    let site = Site::new();
    site.saved();
    let shown = restore(&site).on_terminal(&script).succeed();
    shown.assert_prints("applying the snapshot: OpenBao at");
    shown.assert_prints(", at most until ");
    let erased = "\r\u{1b}[2K";
    let (_, end) = shown.stdout.rsplit_once(erased).unwrap();
    assert!(
        end.contains("is restored"),
        "the line is erased before: {shown}"
    );
    let piped = restore(&site).succeed();
    piped.assert_lacks("applying");
    piped.assert_lacks("\u{1b}");
}

#[test]
fn a_drill_shows_its_steps() {
    zts_testkit::require_bao!();
    let script = zts_testkit::require_program!("script");
    let drill = Drill::new();
    drill.saved();
    let shown = drill.drill().on_terminal(&script).succeed();
    shown.assert_prints("the throw-away server");
    shown.assert_prints("read");
    drill
        .drill()
        .succeed()
        .assert_lacks("the throw-away server");
    drill.assert_no_leftovers();
}
