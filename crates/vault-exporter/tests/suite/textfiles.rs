//! Files of other programs.

use std::{fs, os::unix::fs::symlink};

use testkit::refused_address;

use crate::{Exporter, run};

#[test]
fn what_is_damaged_is_left_out_whole_and_named() {
    let folder = testkit::scratch_dir();
    let refused = refused_address();
    let node = format!("--node=a={}", refused.address());
    let exporter = Exporter::start(run(&[
        &node,
        "--textfile-directory",
        folder.to_str().unwrap(),
        "--textfile-directory",
        "/does/not/exist",
    ]));
    assert!(!exporter.scrape().text.contains("file=\""));

    let write = |name: &str, text: &[u8]| fs::write(folder.join(name), text).unwrap();
    write("good.prom", b"# TYPE vault_snapshot_last_result gauge\nvault_snapshot_last_result{target=\"\xc3\xbc\"} 1");
    write(
        "half.prom",
        b"vault_snapshot_size_bytes 1\nvault_snapshot_la",
    );
    write("binary.prom", b"\xff\xfe\x00");
    write("empty.prom", b"");
    write("own.prom", b"vault_node_up{node=\"a\"} 1\n");
    write("large.prom", "a 1\n".repeat(300_000).as_bytes());
    write("draft.prom.new", b"vault_other 1\n");
    fs::create_dir(folder.join("folder.prom")).unwrap();
    symlink("/dev/zero", folder.join("endless.prom")).unwrap();
    symlink("nowhere", folder.join("dangling.prom")).unwrap();

    let page = exporter.scrape();
    let error = |name: &str| {
        let file = folder.join(name);
        page.value(
            "vault_exporter_textfile_error",
            Some(("file", file.to_str().unwrap())),
        )
    };
    for good in ["good.prom", "empty.prom"] {
        assert_eq!(error(good), Some(0.0), "{good}: {}", page.text);
    }
    for bad in [
        "half", "binary", "own", "large", "folder", "endless", "dangling",
    ] {
        assert_eq!(
            error(&format!("{bad}.prom")),
            Some(1.0),
            "{bad}: {}",
            page.text
        );
    }
    assert_eq!(error("draft.prom.new"), None);
    assert_eq!(
        page.value("vault_snapshot_last_result", Some(("target", "ü"))),
        Some(1.0)
    );
    assert!(
        !page.text.contains("vault_snapshot_size_bytes"),
        "{}",
        page.text
    );
    assert_eq!(page.node("up", "a"), Some(0));
    let when = folder.join("good.prom");
    let when = page.value(
        "vault_exporter_textfile_modified_timestamp_seconds",
        Some(("file", when.to_str().unwrap())),
    );
    assert!(when.unwrap() > 1.7e9);
}
