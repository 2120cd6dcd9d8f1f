//! The settings file: checked by its own command, and overridden by flags.

use std::{fs, path::Path};

use serde_json::{Value, json};
use zts_testkit::{ObjectStore, scratch_dir, set_mode};

use crate::{
    drill::Drill,
    site::{Site, names, vault_snapshot},
};

/// Writes a settings file into the folder and returns its path.
fn write_settings(folder: &Path, settings: &Value) -> String {
    let file = folder.join("settings.json");
    fs::write(&file, settings.to_string()).unwrap();
    file.display().to_string()
}

#[test]
fn a_settings_file_has_the_values_of_flags() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let other = scratch_dir();
    let settings = json!({
        "directories": [site.dir()],
        "save": { "same_disk": true, "retry_timeout": "30s", "canary": null },
        "prune": { "keep_last": 1 },
    });
    let config = write_settings(&other, &settings);
    let checked = vault_snapshot(&["check-config", &config]).succeed();
    assert_eq!(checked.stdout, "");

    let save = || {
        vault_snapshot(&["save", "--config", &config])
            .env("BAO_ADDR", site.server.address())
            .env("BAO_TOKEN", site.server.root_token())
            .run()
    };
    let (first, second) = (save(), save());
    assert_eq!(first.code(), Some(0), "{first}");
    assert_eq!(second.code(), Some(0), "{second}");
    let pruned = vault_snapshot(&["-v", "--config", &config, "prune"]).succeed();
    pruned.assert_prints(first.stdout.trim());
    let newest = second.stdout.trim();
    assert_eq!(
        names(&site.folder),
        [newest.to_owned(), format!("{newest}.json")]
    );

    let empty = scratch_dir();
    let flags = ["list", "--config", &config, "--dir"];
    let listed = vault_snapshot(&flags).arg(&*empty).run();
    assert_eq!(
        listed.stdout,
        format!("{}: 0 snapshots\n", empty.display()),
        "a flag overrides the file: {listed}"
    );
}

#[test]
fn invalid_settings_are_wrong_usage() {
    let folder = scratch_dir();
    let file = folder.join("settings.json");
    let config = file.display().to_string();
    for (text, why) in [
        // cut off, it would be whole
        (
            format!("{{}}{}x", " ".repeat(4 << 20)),
            "it is larger than 4 MiB",
        ),
        (
            json!({ "save": { "retry_timeout": "soon" } }).to_string(),
            "`save.retry_timeout`: `soon` is no time such as `2min`",
        ),
        (
            json!({ "save": { "silence": "1min" } }).to_string(),
            "`save.silence` is unknown",
        ),
        (
            json!({ "s3": [{ "url": "ftp://host/bucket" }] }).to_string(),
            "`s3`: `ftp://host/bucket` is no URL of a bucket",
        ),
        (
            json!({ "drill": { "unseal_key_files": ["/k"], "seal_config_file": "/s" } })
                .to_string(),
            "`drill.seal_config_file` and `drill.unseal_key_files` exclude each other",
        ),
        ("{".to_owned(), "it is no JSON"),
    ] {
        fs::write(&file, text).unwrap();
        for arguments in [
            &["check-config", config.as_str()][..],
            &["list", "--config", &config],
        ] {
            let output = vault_snapshot(arguments).fail(2, &config);
            output.assert_reports(why);
        }
    }
    vault_snapshot(&["check-config", "/nonexistent"])
        .run()
        .assert_status(2);
}

#[test]
fn a_place_on_the_command_line_replaces_all_places_of_the_file() {
    let folders = [scratch_dir(), scratch_dir()];
    let [file_folder, empty] = &folders;
    let config = write_settings(
        file_folder,
        &json!({
            "directories": [&**file_folder],
            "s3": [{ "url": "http://127.0.0.1:9/backups", "region": "r" }],
            "s3_timeout": "1s",
        }),
    );
    let listed = vault_snapshot(&["list", "--config", &config, "--dir"]).arg(&**empty);
    let listed = listed.succeed();
    let expected = format!("{}: 0 snapshots\n", empty.display());
    assert_eq!(listed.stdout, expected, "{listed}");

    let bucket = "http://127.0.0.1:9/other";
    let listed = vault_snapshot(&["list", "--config", &config, "--s3", bucket])
        .env("AWS_ACCESS_KEY_ID", "id")
        .env("AWS_SECRET_ACCESS_KEY", "key")
        .fail(1, bucket);
    assert_eq!(listed.stdout, "", "the folder is not listed: {listed}");
}

#[test]
fn the_bucket_of_the_file_is_safe_from_a_prune_of_another_place() {
    require_store!();
    let site = Site::new();
    let store = ObjectStore::start();
    let other = scratch_dir();
    let url = format!("{}/backups/openbao", store.address());
    let config = write_settings(
        &other,
        &json!({ "s3": [{ "url": url, "credentials_file": store.credentials() }] }),
    );
    let location = store.location();
    let save = || site.save().args(["--s3", &location]).run();
    let (first, second) = (save(), save());
    first.assert_success();
    second.assert_success();
    let pruned = vault_snapshot(&["prune", "--config", &config, "--keep-last", "1", "--dir"]);
    let pruned = pruned.arg(&*site.folder).succeed();
    assert_eq!(names(&site.folder).len(), 2, "{pruned}");
    assert_eq!(names(&store.objects_dir()).len(), 4, "{pruned}");

    let empty = scratch_dir();
    vault_snapshot(&["restore", "--yes", "--config", &config, "--dir"])
        .arg(&*empty)
        .env("BAO_ADDR", site.server.address())
        .env("BAO_TOKEN", site.server.root_token())
        .run()
        .assert_status(1)
        .assert_reports("there is no snapshot");
}

#[test]
fn a_flag_drops_the_settings_that_it_conflicts_with() {
    let folder = scratch_dir();
    let config = write_settings(
        &folder,
        &json!({ "drill": { "unseal_key_files": ["/nonexistent/share"] } }),
    );
    let drill = || vault_snapshot(&["drill", "--config", &config, "--dir"]).arg(&*folder);
    let with_keys = drill().run().assert_status(2);
    with_keys.assert_reports("/nonexistent/share");
    let with_seal = drill()
        .args(["--seal-config", "/nonexistent/seal"])
        .run()
        .assert_status(1);
    with_seal.assert_reports("there is no snapshot");
}

#[test]
fn key_files_drop_the_seal_of_the_file_and_the_canary_is_required_again() {
    zts_testkit::require_bao!();
    let drill = Drill::new();
    drill.site.saved();
    let config = write_settings(
        &drill.keys,
        &json!({ "drill": { "seal_config_file": "/nonexistent", "without_canary": true } }),
    );
    let run = || drill.drill().args(["--config", &config]);
    run().succeed();
    run()
        .arg("--without-canary=false")
        .fail(1, "saved without a canary");
}

#[test]
fn a_flag_unsets_what_the_file_sets() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let other = scratch_dir();
    let shares = other.join("shares");
    fs::write(&shares, format!("{}\n", site.server.unseal_key())).unwrap();
    set_mode(&shares, 0o644);
    let config = write_settings(
        &other,
        &json!({
            "directories": [site.dir()],
            "save": { "same_disk": true },
            "drill": { "unseal_key_files": [shares], "allow_readable_key_files": true },
        }),
    );
    let drill = || vault_snapshot(&["drill", "--config", &config]);
    let allowed = drill().run();
    let why = "there is no snapshot";
    allowed.assert_reports(why);
    drill()
        .arg("--allow-readable-key-files=false")
        .fail(2, "shares");

    let storage = site.server.folder().join("storage");
    let save = || {
        vault_snapshot(&["save", "--config", &config, "--cluster-storage"])
            .arg(&storage)
            .env("BAO_ADDR", site.server.address())
            .env("BAO_TOKEN", site.server.root_token())
    };
    let refused = save().arg("--same-disk=false").run().assert_status(2);
    refused.assert_reports("on the disk that OpenBao keeps its data on");
    for flags in [&[][..], &["--same-disk"], &["--same-disk=true"]] {
        let saved = save().args(flags).run();
        assert_eq!(saved.code(), Some(0), "{flags:?}: {saved}");
    }
}
