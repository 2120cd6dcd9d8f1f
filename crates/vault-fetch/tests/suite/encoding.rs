//! Values that are stored in Base64.

use std::{fmt::Write, fs};

use serde_json::json;

use crate::host::{Host, files};

/// Any bytes, which are no text, of this length.
fn bytes(length: u32) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length as usize).collect()
}

/// Returns the Base64 as the program of coreutils writes it, with line breaks.
fn encode(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for (index, group) in bytes.chunks(3).enumerate() {
        let bits = (0..3).fold(0_usize, |bits, index| {
            bits << 8 | usize::from(group.get(index).copied().unwrap_or_default())
        });
        for letter in 0..=group.len() {
            text.push(LETTERS[bits >> (18 - 6 * letter) & 63].into());
        }
        text.push_str(&"=="[..3 - group.len()]);
        if index % 19 == 18 {
            text.push('\n');
        }
    }
    writeln!(text).unwrap();
    text
}

#[test]
fn any_bytes_come_out_as_they_went_in() {
    zts_testkit::require_bao!();
    let host = Host::new("encoded");
    for length in [1, 2, 3, 57, 58, 4_096, 300_001] {
        let (bytes, name) = (bytes(length), format!("{length}.p12"));
        let encoded = encode(&bytes);
        host.put(&json!({ "a=b": encoded, "text": "as it is" }));
        let run = host.fetch().cached().args([
            "--encoding=a=b=base64",
            "--json-file=all.json",
            &format!("--template={name}={}", template(&host)),
        ]);
        run.succeed_silently();
        for file in ["a=b", &name] {
            assert!(
                fs::read(host.output().join(file)).unwrap() == bytes,
                "{length}: {file}"
            );
        }
        let all = fs::read(host.output().join("all.json")).unwrap();
        let all: serde_json::Value = serde_json::from_slice(&all).unwrap();
        assert_eq!(all, json!({ "a=b": encoded, "text": "as it is" }));
    }
    // from the copy, which has what OpenBao has
    fs::remove_dir_all(host.output()).unwrap();
    let refused = zts_testkit::closed_port();
    let fetch = host.fetch().cached().address(refused.address());
    fetch.args(["--encoding=a=b=base64"]).succeed();
    assert!(fs::read(host.output().join("a=b")).unwrap() == bytes(300_001));
}

fn template(host: &Host) -> String {
    let path = host.path("template");
    fs::write(&path, "{{ a=b | base64decode }}").unwrap();
    path.display().to_string()
}

#[test]
fn a_version_that_is_not_base64_changes_nothing() {
    zts_testkit::require_bao!();
    let host = Host::new("not-encoded");
    let encoded = || host.fetch().args(["--encoding=k=base64"]);
    host.put(&json!({ "k": "AP8K" }));
    encoded().succeed_silently();
    for (values, reason) in [
        (
            json!({ "k": "hunter-two" }),
            "is not Base64: it has characters",
        ),
        (json!({ "k": "aHVud" }), "is not Base64: its end is cut off"),
        (json!({ "k": 1234 }), "is not Base64: it is not a string"),
        (json!({ "other": "AP8K" }), "has no key `k`"),
        (json!({ "k": "" }), "has nothing in its key `k`"),
    ] {
        host.put(&values);
        encoded().fail(1, reason);
        assert_eq!(fs::read(host.output().join("k")).unwrap(), b"\x00\xff\x0a");
    }
    let hint = format!(
        "hint: the declaration says that it is in Base64; to store a file so, pipe `base64 FILE` into `bao kv patch -mount=secret {} k=-`",
        host.secret()
    );
    host.put(&json!({ "k": "hunter-two" }));
    encoded().run().assert_reports(&hint);
}

#[test]
fn without_the_flag_the_file_has_what_is_in_openbao() {
    zts_testkit::require_bao!();
    let host = Host::new("left-encoded");
    host.put(&json!({ "k": "AP8K\n" }));
    host.fetch().succeed_silently();
    assert_eq!(host.files(), files([("k", "AP8K\n")]));
}

#[test]
fn another_encoding_is_wrong_usage() {
    zts_testkit::require_bao!();
    let host = Host::new("other-encoding");
    for wrong in ["k", "=base64", "k=hex", "k=", "base64"] {
        let output = host.fetch().args(["--encoding", wrong]).run();
        assert_eq!(output.code(), Some(2), "{wrong}: {output}");
        assert!(output.stderr.contains("KEY=base64`"), "{wrong}: {output}");
    }
}
