//! Files of other programs.

use std::{fs, os::unix::fs::symlink};

use zts_testkit::{Run, closed_port};

use crate::{Exporter, run};

#[test]
fn damaged_files_are_left_out() {
    let folder = zts_testkit::scratch_dir();
    let refused = closed_port();
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

#[test]
fn families_of_several_files_are_merged() {
    let folder = zts_testkit::scratch_dir();
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    let header = |help: &str| format!("# HELP b_seconds {help}\n# TYPE b_seconds summary\n");
    write(
        "1.prom",
        &format!("a{{x=\"1\"}} 1\n{}b_seconds_sum 4\n", header("Of one.")),
    );
    write(
        "2.prom",
        &format!(
            "{}b_seconds{{quantile=\"0.5\"}} 2\nb_seconds_count 2\n# TYPE a gauge\na{{x=\"2\"}} 2\n",
            header("Of another.")
        ),
    );
    write(
        "another-type.prom",
        "c 1\n# TYPE b_seconds gauge\nb_seconds{x=\"1\"} 1\n",
    );
    write("same-labels.prom", "c 1\na{x=\"1\"} 7\n");
    write("twice.prom", "c{x=\"1\",y=\"2\"} 1\nc{y=\"2\",x=\"1\"} 1\n");
    write("unknown-type.prom", "# TYPE c number\nc 1\n");
    write("own-header.prom", "# TYPE vault_node_up gauge\n");
    let refused = closed_port();
    let node = format!("--node=a={}", refused.address());
    let directory = ["--textfile-directory", folder.to_str().unwrap()];
    let output = run(&[&node, "--once"])
        .args(directory)
        .args(directory)
        .run();
    let merged = "# TYPE a gauge\na{x=\"1\"} 1\na{x=\"2\"} 2\n\
                  # HELP b_seconds Of one.\n# TYPE b_seconds summary\n\
                  b_seconds_sum 4\nb_seconds{quantile=\"0.5\"} 2\nb_seconds_count 2\n\
                  # HELP vault_exporter_scrape_seconds";
    output.assert_prints(merged);
    let names: Vec<_> = output
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("vault_exporter_textfile_error{file=\""))
        .filter_map(|line| line.strip_suffix("\"} 1"))
        .filter_map(|file| file.rsplit('/').next())
        .collect();
    assert_eq!(
        names,
        [
            "another-type.prom",
            "own-header.prom",
            "same-labels.prom",
            "twice.prom",
            "unknown-type.prom"
        ]
    );
    let promtool = zts_testkit::require_program!("promtool");
    let text = output.stdout.clone() + "\n";
    let check = Run::new(promtool)
        .args(["check", "metrics"])
        .stdin(text)
        .run();
    // 3: only remarks on style, such as a metric without help
    check.assert_status(3);
}
