//! The authority file.

use std::fs;

use zts_testkit::set_mode;

use crate::{Fleet, NOW, assert_output, run};

#[test]
fn an_authority_is_replaced_by_swapping_lines() {
    let fleet = Fleet::new();
    let old = fleet.text("authority");
    let new = run(&["authority", "--period", "30days"]).stdout;
    fleet.renew("before", NOW, &[]);
    let lines = |text: String| fs::write(fleet.path("authority"), text).unwrap();
    lines(format!("# the second is trusted only\n{old}{new}"));
    fleet.renew("both", NOW, &[]);
    lines(format!("{new}{old}"));
    fleet.renew("swapped", NOW, &[]);
    assert!(fleet.trusts("both/ca.pem", "swapped", NOW));
    assert!(!fleet.trusts("before/ca.pem", "swapped", NOW));
    lines(new);
    fleet.renew("after", NOW, &[]);
    assert!(fleet.trusts("swapped/ca.pem", "after", NOW));
}

#[test]
fn invalid_authority_files_are_refused() {
    let fleet = Fleet::new();
    let file = fleet.path("authority");
    run(&["authority", "--output", file.to_str().unwrap()]).assert_status(1);
    let good = fleet.text("authority");
    for (text, what) in [
        (String::new(), "is empty"),
        ("# nothing\n".to_owned(), "is empty"),
        (good.replace("-1:", "-2:"), "secret 1 is invalid"),
        (good[..good.len() - 8].to_owned(), "secret 1 is invalid"),
        (
            format!("{good}vault-certs-authority-1:0:AAAA"),
            "secret 2 is invalid",
        ),
    ] {
        fs::write(&file, &text).unwrap();
        fleet.renew("a", NOW, &[]).assert_failure(2, what);
        assert!(!fleet.path("a/key.pem").exists());
    }
    fs::write(&file, &good).unwrap();
    set_mode(&file, 0o644);
    fleet.renew("a", NOW, &[]).assert_failure(2, "mode 644");
    fs::remove_file(&file).unwrap();
    assert_eq!(fleet.renew("a", NOW, &[]).code(), Some(2));
    assert_output(
        &fleet.renew("a", NOW, &["--create-authority", "90days"]),
        "changed",
    );
}
