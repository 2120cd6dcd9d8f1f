//! `restore`.

use std::{
    fs,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use age::secrecy::ExposeSecret;
use serde_json::json;
use zts_testkit::{ObjectStore, Run, Server, scratch_dir};

use crate::site::{Site, fill, vault_snapshot};

fn restore(server: &Server, arguments: &[&str]) -> Run {
    vault_snapshot(&["restore"])
        .args(arguments)
        .env("BAO_ADDR", server.address())
        .env("BAO_TOKEN", server.root_token())
}

fn value(server: &Server, path: &str) -> Option<String> {
    let secret = server.read(&format!("secret/data/{path}"))?;
    secret["data"]["value"].as_str().map(str::to_owned)
}

#[test]
fn the_cluster_has_its_former_data() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let server = &site.server;
    let before = value(server, "fill/3").unwrap();
    site.saved();
    server.put_secret("fill/3", &json!({ "value": "newer" }));
    server.put_secret("later", &json!({ "value": "newer" }));
    let output = restore(server, &["--yes", "--dir", &site.dir()]).succeed();
    output.assert_reports("serves it");
    zts_testkit::wait_for("the old state is served", || {
        (value(server, "fill/3")? == before).then_some(())
    });
    assert_eq!(value(server, "later"), None);
}

/// Reports OpenBao's refusal, which arrives before the end of the upload.
#[test]
fn a_denial_is_reported_for_any_size() {
    zts_testkit::require_bao!();
    let site = Site::new();
    fill(&site.server, 60, 700_000);
    site.saved();
    for _ in 0..5 {
        vault_snapshot(&["restore", "--yes", "--dir", &site.dir()])
            .env("BAO_ADDR", site.server.address())
            .env("BAO_TOKEN", "s.nobody")
            .fail(1, "must allow `update` on");
    }
}

/// Restores a lost cluster into a new one, which is then unsealed with the lost one's key.
#[test]
fn another_cluster_needs_force() {
    zts_testkit::require_bao!();
    let site = Site::new();
    fill(&site.server, 1_000, 100);
    let name = site.saved();
    let path = site.path(&name).display().to_string();
    let mut new = Server::builder().raft().start();
    let output = restore(&new, &["--yes", &path]).fail(1, "is a snapshot of cluster");
    output.assert_reports("--force");
    let output = restore(&new, &["--yes", "--force", &path]).succeed();
    output.assert_reports("is sealed: restart it, then unseal it");
    new.unseal_with_keys_of(&site.server);
    let secrets = new.list("secret/metadata/fill/");
    assert_eq!(secrets.len(), 1_000);
    for name in secrets {
        let path = format!("fill/{name}");
        assert_eq!(value(&new, &path), value(&site.server, &path), "{path}");
    }
}

#[test]
fn the_cluster_name_must_be_typed() {
    zts_testkit::require_bao!();
    let site = Site::new();
    site.saved();
    restore(&site.server, &["--dir", &site.dir()])
        .stdin("yes\n")
        .fail(2, "standard input is no terminal");
    let about = crate::site::description(&site.path(&site.saved()));
    let cluster = about["cluster_name"].as_str().unwrap();
    let script = zts_testkit::require_program!("script");
    for (typed, restored) in [("no", false), (cluster, true)] {
        // script(1) provides a terminal.
        let command = format!(
            "{} restore --dir {}",
            env!("CARGO_BIN_EXE_vault-snapshot"),
            site.dir()
        );
        let output = Run::new(&script)
            .args(["-qec", &command, "/dev/null"])
            .env("BAO_ADDR", site.server.address())
            .env("BAO_TOKEN", site.server.root_token())
            .stdin(format!("{typed}\n"))
            .run();
        output.assert_prints("Type the name of that cluster");
        output.assert_prints(cluster);
        output.assert_prints(" ago)");
        assert_eq!(output.stdout.contains("serves it"), restored, "{output}");
        assert_eq!(output.code(), Some(i32::from(!restored)), "{output}");
    }
}

#[test]
fn damaged_and_encrypted_snapshots_are_not_restored() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let name = site.saved();
    let mut spoilt = fs::read(site.path(&name)).unwrap();
    spoilt[100_000] ^= 1;
    fs::write(site.path(&name), spoilt).unwrap();
    restore(&site.server, &["--yes", "--force", "--dir", &site.dir()]).fail(1, "is damaged");
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    site.save().args(["--age-recipient", &recipient]).succeed();
    restore(&site.server, &["--yes", "--dir", &site.dir()]).fail(2, "is encrypted");
    let keys = scratch_dir();
    let file = keys.join("identity");
    fs::write(&file, identity.to_string().expose_secret()).unwrap();
    site.server
        .put_secret("later", &json!({ "value": "newer" }));
    restore(
        &site.server,
        &["--yes", "--dir", &site.dir(), "--age-identity"],
    )
    .arg(file)
    .succeed();
    zts_testkit::wait_for("the old state is served", || {
        value(&site.server, "later").is_none().then_some(())
    });
    // A token without the right.
    restore(&site.server, &["--yes", "--dir", &site.dir(), &name])
        .env("BAO_TOKEN", "s.none")
        .run()
        .assert_status(1);
}

#[test]
fn a_snapshot_in_a_bucket_is_restored() {
    zts_testkit::require_bao!();
    if zts_testkit::find_versitygw().is_none() {
        zts_testkit::skip!("no versitygw on this machine");
    }
    let site = Site::new();
    let store = ObjectStore::start();
    site.save().args(["--s3", &store.location()]).succeed();
    site.server
        .put_secret("later", &json!({ "value": "newer" }));
    restore(&site.server, &["--yes", "--s3", &store.location()]).succeed();
    zts_testkit::wait_for("the old state is served", || {
        value(&site.server, "later").is_none().then_some(())
    });
}

/// Reports OpenBao's timeout of uploads.
#[test]
fn an_upload_that_times_out_is_reported() {
    zts_testkit::require_bao!();
    let site = Site::around(Server::builder().raft().read_timeout("1s").start());
    site.saved();
    let slow = slow_proxy_to(&site.server.address());
    restore(&site.server, &["--yes", "--dir", &site.dir()])
        .env("BAO_ADDR", slow)
        .fail(1, "nothing is restored")
        .assert_reports("`http_read_timeout`");
}

/// Starts a proxy to the server that passes 0.5 MB a second, and returns its address.
fn slow_proxy_to(address: &str) -> String {
    let server = address.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let slow = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut server = TcpStream::connect(&server).unwrap();
            let (mut back, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || io::copy(&mut back, &mut to));
            thread::spawn(move || {
                let mut piece = [0; 10_000];
                while let Ok(length @ 1..) = client.read(&mut piece)
                    && server.write_all(&piece[..length]).is_ok()
                {
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
    });
    slow
}
