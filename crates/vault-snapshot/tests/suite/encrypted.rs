//! Encrypted snapshots.

use std::{fs, io::Read};

use age::secrecy::ExposeSecret;
use zts_testkit::scratch_dir;

use crate::site::{Site, description, names, vault_snapshot};

fn read_as(path: &std::path::Path, identity: &age::x25519::Identity) -> Vec<u8> {
    let file = fs::File::open(path).unwrap();
    let decryptor = age::Decryptor::new(file).unwrap();
    let mut content = Vec::new();
    let keys = std::iter::once(identity as &dyn age::Identity);
    decryptor
        .decrypt(keys)
        .unwrap()
        .read_to_end(&mut content)
        .unwrap();
    content
}

#[test]
fn only_the_recipients_can_decrypt() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let [one, two, other] = [(); 3].map(|()| age::x25519::Identity::generate());
    let recipients = [one.to_public().to_string(), two.to_public().to_string()];
    let output = site
        .save()
        .args([
            "--age-recipient",
            &recipients[0],
            "--age-recipient",
            &recipients[1],
        ])
        .succeed();
    let name = output.stdout.trim();
    assert!(name.ends_with(".snap.age"), "{name}");
    assert_eq!(
        names(&site.folder),
        [name.to_owned(), format!("{name}.json")]
    );
    let path = site.path(name);
    let archive = read_as(&path, &one);
    assert_eq!(archive, read_as(&path, &two));
    assert!(
        archive.starts_with(&[0x1f, 0x8b]),
        "it is OpenBao's archive"
    );
    let about = description(&path);
    assert_eq!(about["encrypted_to"].as_array().unwrap().len(), 2);
    assert_ne!(about["archive_sha256"], about["sha256"]);

    // Listing needs no identity; verification without one covers the stored file only.
    let listed = vault_snapshot(&["list", "--dir", &site.dir()]).run();
    listed.assert_prints("encrypted");
    listed.assert_lacks("FLAWED");
    let verified = site.verify_all().assert_success();
    verified.assert_prints("is not verified without");
    let keys = scratch_dir();
    let with = |identity: &age::x25519::Identity| {
        let file = keys.join("identity");
        let text = format!("# a comment\n{}\n", identity.to_string().expose_secret());
        fs::write(&file, text).unwrap();
        vault_snapshot(&["verify", "--dir", &site.dir(), "--age-identity"])
            .arg(file)
            .run()
    };
    with(&two)
        .assert_success()
        .assert_prints("OpenBao's own digests");
    with(&other).assert_failure(1, "none of the given age identities opens");

    let mut spoilt = fs::read(&path).unwrap();
    let middle = spoilt.len() / 2;
    spoilt[middle] ^= 1;
    fs::write(&path, spoilt).unwrap();
    for verified in [site.verify_all(), with(&one)] {
        verified.assert_failure(1, "damaged");
    }
}

/// Checks that drafts on the disk are encrypted, too.
#[test]
fn a_killed_run_leaves_only_encrypted_drafts() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let proxy = zts_testkit::Proxy::to(&site.server.address());
    proxy.on(
        "GET /v1/sys/storage/raft/snapshot",
        zts_testkit::Fault::Trickle(std::time::Duration::from_micros(1)),
    );
    let recipient = age::x25519::Identity::generate().to_public().to_string();
    let running = site
        .save_from(&proxy.address())
        .args(["--age-recipient", &recipient])
        .start();
    let draft = zts_testkit::wait_for("the draft has grown", || {
        let there = names(&site.folder);
        let draft = there
            .iter()
            .find(|name| name.starts_with(".vault-snapshot-"))?;
        let path = site.path(draft);
        (fs::metadata(&path).ok()?.len() > 4_000).then_some(path)
    });
    running.kill();
    let content = fs::read(draft).unwrap();
    assert!(content.starts_with(b"age-encryption.org/v1\n"));
    let contains = |word: &[u8]| content.windows(word.len()).any(|window| window == word);
    assert!(!contains(b"meta.json") && !contains(b"ConfigurationIndex"));
}
