//! Archives and descriptions by an attacker with write access, made to use up time or memory.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use age::secrecy::ExposeSecret;
use serde_json::json;
use tar::{EntryType, Header};
use zts_testkit::{Run, RunOutput, find_program, scale_timeout, scratch_dir};

use crate::site::vault_snapshot;

/// The limit of a run's memory in KiB.
const MEMORY: u64 = 64 << 10;
/// The limit of a run's time on an idle machine.
const TIME: Duration = Duration::from_secs(15);
pub(crate) const NAME: &str = "openbao-main-2026-11-24T19-50-00Z.snap";

/// Runs it, and checks its time and memory.
pub(crate) fn run_bounded(run: Run) -> RunOutput {
    let (output, peak) = run
        .timeout(scale_timeout(TIME))
        .start()
        .finish_with_peak_memory();
    assert!(peak < MEMORY, "{peak} KiB: {}", beginning(&output.stderr));
    let length = output.stderr.len();
    assert!(
        length < 4_000,
        "{length} bytes are printed: {}",
        beginning(&output.stderr)
    );
    output
}

fn beginning(text: &str) -> String {
    text.chars().take(400).collect()
}

fn header(kind: EntryType, name: &str, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_path(name).unwrap();
    header.set_size(size);
    header.set_cksum();
    header
}

/// Writes a gzip stream of a header and 128 MiB of zeros as the member's content.
fn member_of_zeros(path: &Path, kind: EntryType, name: &str) {
    const SIZE: usize = 128 << 20;
    let mut gzip = Command::new(find_program("gzip").unwrap())
        .arg("-1")
        .stdin(Stdio::piped())
        .stdout(fs::File::create(path).unwrap())
        .spawn()
        .unwrap();
    let mut to = gzip.stdin.take().unwrap();
    to.write_all(header(kind, name, SIZE as u64).as_bytes())
        .unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..SIZE / zeros.len() {
        to.write_all(&zeros).unwrap();
    }
    drop(to);
    assert!(gzip.wait().unwrap().success());
}

/// Writes a description that fits the file.
pub(crate) fn describe(folder: &Path, name: &str, encrypted_to: &[&str]) {
    let path = folder.join(name);
    let sum = Command::new(find_program("sha256sum").unwrap())
        .arg(&path)
        .output()
        .unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    let sum = sum.split(' ').next().unwrap();
    let size = fs::metadata(&path).unwrap().len();
    let about = json!({
        "format": 1, "cluster_name": "main", "cluster_id": "an-id", "openbao_version": "2.7.2",
        "taken_at": "2026-11-24T19:50:00Z", "raft_index": 1, "raft_term": 1, "size": size, "sha256": sum,
        "archive_size": size, "archive_sha256": sum, "encrypted_to": encrypted_to,
    });
    fs::write(folder.join(format!("{name}.json")), about.to_string()).unwrap();
}

#[test]
fn a_small_archive_takes_little_memory_and_time() {
    let folder = scratch_dir();
    for (kind, name, message) in [
        (
            EntryType::GNULongName,
            "././@LongLink",
            "a part that OpenBao does not write",
        ),
        (
            EntryType::GNULongLink,
            "././@LongLink",
            "a part that OpenBao does not write",
        ),
        (
            EntryType::XHeader,
            "PaxHeaders.0/x",
            "a part that OpenBao does not write",
        ),
        (
            EntryType::XGlobalHeader,
            "pax_global_header",
            "a part that OpenBao does not write",
        ),
        (
            EntryType::Regular,
            "meta.json",
            "larger than OpenBao makes it",
        ),
        (
            EntryType::Regular,
            "SHA256SUMS",
            "larger than OpenBao makes it",
        ),
        (
            EntryType::Regular,
            "state.bin",
            "compressed far more than OpenBao's",
        ),
    ] {
        member_of_zeros(&folder.join(NAME), kind, name);
        describe(&folder, NAME, &[]);
        for command in ["verify", "prune"] {
            let rule = (command == "prune").then_some("--keep-last=1");
            if rule.is_some() {
                // A snapshot to remove.
                let older = NAME.replace("11-24", "11-23");
                fs::copy(folder.join(NAME), folder.join(&older)).unwrap();
                let about = fs::read_to_string(folder.join(format!("{NAME}.json"))).unwrap();
                let about = about.replace("11-24", "11-23");
                fs::write(folder.join(format!("{older}.json")), about).unwrap();
            }
            let run = vault_snapshot(&[command, "--dir"]).arg(&*folder).args(rule);
            let output = run_bounded(run);
            assert_eq!(
                output.code(),
                Some(1),
                "{command} {kind:?} {name}: {output}"
            );
            assert!(
                output.stderr.contains(message),
                "{command} {kind:?} {name}: {output}"
            );
        }
    }
}

/// Checks the same inside encryption, and an endless header of age.
#[test]
fn a_small_encrypted_file_takes_little_memory_and_time() {
    let folder = scratch_dir();
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public();
    let key = folder.join("identity");
    fs::write(&key, identity.to_string().expose_secret()).unwrap();
    let name = format!("{NAME}.age");
    let plain = folder.join("plain");
    member_of_zeros(&plain, EntryType::GNULongName, "././@LongLink");
    let encryptor =
        age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))
            .unwrap();
    let file = fs::File::create(folder.join(&name)).unwrap();
    let mut sink = encryptor.wrap_output(file).unwrap();
    io::copy(&mut fs::File::open(&plain).unwrap(), &mut sink).unwrap();
    sink.finish().unwrap();
    let mut endless = b"age-encryption.org/v1\n".to_vec();
    while endless.len() < 32 << 20 {
        endless.extend_from_slice(b"-> more of it\n\n");
    }
    let text = recipient.to_string();
    for (content, message) in [
        (None, "a part that OpenBao does not write"),
        (Some(endless), "its header is longer"),
    ] {
        if let Some(content) = content {
            fs::write(folder.join(&name), content).unwrap();
        }
        describe(&folder, &name, &[&text]);
        let run = vault_snapshot(&["verify", "--dir"]).arg(&*folder);
        run_bounded(run.arg("--age-identity").arg(&key)).assert_failure(1, message);
    }
}

#[test]
fn an_endless_description_is_ignored() {
    let folder = scratch_dir();
    fs::write(folder.join(NAME), "x").unwrap();
    describe(&folder, NAME, &[]);
    let beside = folder.join(format!("{NAME}.json"));
    let about = fs::read_to_string(&beside).unwrap();
    let recipients = vec!["\"\""; 5_000_000].join(",");
    for spoilt in [
        format!("{about}{}", " ".repeat(200 << 20)),
        about.replace(
            "\"encrypted_to\":[]",
            &format!("\"encrypted_to\":[{recipients}]"),
        ),
    ] {
        fs::write(&beside, spoilt).unwrap();
        let output = run_bounded(vault_snapshot(&["list", "--dir"]).arg(&*folder));
        output.assert_prints("no description beside it");
    }
}
