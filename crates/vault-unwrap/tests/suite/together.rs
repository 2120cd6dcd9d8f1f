//! Several runs at the same time with one token.

use zts_testkit::names_if_any;

use crate::host::NewHost;

#[test]
fn one_of_several_runs_uses_the_token_and_the_others_find_the_credentials() {
    zts_testkit::require_bao!();
    let host = NewHost::new("at-once");
    for round in 0..5 {
        let token = host
            .server
            .wrap_credentials(&host.credentials, crate::host::LONG);
        let runs: Vec<_> = (0..6).map(|_| host.with_token(&token).start()).collect();
        for run in runs {
            let output = run.finish();
            assert_eq!(output.code(), Some(0), "round {round}: {output}");
            assert_eq!(output.stderr, "", "round {round}: no false alarm");
        }
        host.assert_has_its_credentials();
        let left = names_if_any(&host.approle());
        assert_eq!(
            left,
            [".vault-logins", "role-id", "secret-id", "tried-token"]
        );
        std::fs::remove_dir_all(host.approle()).unwrap();
    }
}

#[test]
fn two_runs_replace_refused_credentials_once() {
    zts_testkit::require_bao!();
    let old = zts_testkit::HostCredentials {
        role_id: "old-role".to_owned(),
        secret_id: "old-secret".to_owned(),
        accessor: String::new(),
    };
    let host = NewHost::new("replace-at-once").with_credentials(&old);
    let runs: Vec<_> = (0..4).map(|_| host.unwrap().start()).collect();
    for run in runs {
        run.finish().assert_success().assert_lacks("error");
    }
    host.assert_has_its_credentials();
}
