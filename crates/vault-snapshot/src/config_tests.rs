use clap::CommandFactory;
use serde_json::json;

use super::*;

#[test]
fn each_setting_is_the_default_of_a_flag() {
    let program = Arguments::command();
    for (command, settings) in SECTIONS {
        let command = program.find_subcommand(command).unwrap();
        for (field, flag, _) in *settings {
            assert!(
                command.get_arguments().any(|one| one.get_id() == flag),
                "{field}"
            );
        }
    }
    for (field, flag, _) in SHARED {
        let mut commands = program.get_subcommands();
        assert!(
            commands.any(|command| command.get_arguments().any(|one| one.get_id() == flag)),
            "{field}"
        );
    }
}

#[test]
fn invalid_settings_are_refused_by_their_names() {
    for (settings, why) in [
        (json!([]), "it is no object"),
        (json!({ "dir": [] }), "`dir` is unknown"),
        (
            json!({ "directories": "/srv" }),
            "`directories`: expected a list",
        ),
        (
            json!({ "directories": [1] }),
            "`directories`: expected a path",
        ),
        (json!({ "save": [] }), "`save`: expected an object"),
        (
            json!({ "save": { "keep_last": 1 } }),
            "`save.keep_last` is unknown",
        ),
        (
            json!({ "save": { "retry_timeout": "soon" } }),
            "`save.retry_timeout`: `soon` is no time such as `2min`: expected number at 0",
        ),
        (
            json!({ "save": { "canary": "secret" } }),
            "`save.canary`: expected a mount and a path in it, such as `secret/vault-snapshot/canary`",
        ),
        (
            json!({ "save": { "auth_method": "ldap" } }),
            "`save.auth_method`: `ldap` is not `token`, `approle`, `jwt` or `kubernetes`",
        ),
        (
            json!({ "save": { "same_disk": 1 } }),
            "`save.same_disk`: expected `true` or `false`",
        ),
        (
            json!({ "prune": { "keep_last": -1 } }),
            "`prune.keep_last`: expected a number",
        ),
        (
            json!({ "drill": { "unseal_key_files": ["/k"], "seal_config_file": "/s" } }),
            "`drill.seal_config_file` and `drill.unseal_key_files` exclude each other",
        ),
        (json!({ "s3": [{}] }), "`s3`: `url` is missing"),
        (
            json!({ "s3": [{ "url": "https://host" }] }),
            "`s3`: `https://host` is no URL of a bucket: it names no bucket",
        ),
        (
            json!({ "s3": [{ "url": "https://host/b", "secret": "x" }] }),
            "`s3`: `secret` is unknown",
        ),
    ] {
        assert_eq!(convert_all(&settings).err().as_deref(), Some(why));
    }
}
