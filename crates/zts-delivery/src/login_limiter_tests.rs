use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;

fn credentials(secret_id: &str) -> AppRoleCredentials {
    AppRoleCredentials {
        role_id: "role".into(),
        secret_id: secret_id.into(),
    }
}

fn address() -> Address {
    "http://127.0.0.1:1".parse().unwrap()
}

fn refusal(text: &str) -> Error {
    Error::LoginRefused {
        path: "auth/approle/login".to_owned(),
        api_error: ApiError {
            address: address(),
            messages: vec![text.to_owned()],
        },
    }
}

fn limiter_in(folder: &Path) -> LoginLimiter {
    LoginLimiter::new(OptionalNote::new(folder.join("logins"), 0o700))
}

/// Makes a login with this result. Returns whether the server would have been queried.
fn log_in(limiter: &LoginLimiter, secret_id: &str, result: &Result<(), Error>) -> bool {
    let permit = limiter.acquire(&credentials(secret_id), "p", &address(), Duration::ZERO);
    permit.map(|permit| permit.record(result)).is_ok()
}

#[test]
fn two_refusals_block_these_credentials_and_no_others() {
    let folder = zts_testkit::scratch_dir();
    let limiter = limiter_in(&folder);
    let refused = || Err(refusal("invalid role or secret ID"));
    let asked = [(); 4].map(|()| log_in(&limiter, "old", &refused()));
    assert_eq!(asked, [true, true, false, false]);
    assert!(log_in(&limiter, "new", &refused()));
    assert!(log_in(&limiter, "new", &Ok(())));
    let asked = [(); 3].map(|()| log_in(&limiter, "new", &refused()));
    assert_eq!(
        asked,
        [true, true, false],
        "an accepted login resets the count"
    );
}

/// The process whose turn it is waits for a slow server.
#[test]
fn credentials_are_blocked_also_for_a_process_that_gave_up_its_turn() {
    let folder = zts_testkit::scratch_dir();
    let limiter = limiter_in(&folder);
    let slow = limiter.acquire(&credentials("a"), "p", &address(), Duration::ZERO);
    let record = LoginRecord {
        credentials: digest(&credentials("a")),
        refused: MOST_REFUSALS,
        at: Some(SystemTime::now()),
        ..LoginRecord::default()
    };
    write(&limiter.open().unwrap(), &record).unwrap();
    assert!(!log_in(&limiter, "a", &Ok(())));
    assert!(log_in(&limiter, "b", &Err(refusal("permission denied"))));
    drop(slow);
}

#[test]
fn the_pause_ends_also_when_the_clock_was_set_back() {
    let folder = zts_testkit::scratch_dir();
    let limiter = limiter_in(&folder);
    let now = SystemTime::now();
    for (at, asked) in [
        (now, false),
        (now - PAUSE, true),
        (now + Duration::from_secs(60), true),
    ] {
        let record = LoginRecord {
            credentials: digest(&credentials("a")),
            refused: MOST_REFUSALS,
            at: Some(at),
            ..LoginRecord::default()
        };
        write(&limiter.open().unwrap(), &record).unwrap();
        assert_eq!(
            log_in(&limiter, "a", &Err(refusal("permission denied"))),
            asked
        );
    }
}

#[test]
fn refusals_that_lock_no_role_are_not_counted() {
    let folder = zts_testkit::scratch_dir();
    let limiter = limiter_in(&folder);
    let unauthorized = "source address \"::1\" unauthorized by CIDR restrictions on the role";
    for text in ["permission denied", unauthorized] {
        let asked = [(); 4].map(|()| log_in(&limiter, "a", &Err(refusal(text))));
        assert_eq!(asked, [true; 4]);
    }
}

#[test]
fn damaged_notes_and_those_of_other_users_are_ignored() {
    let folder = zts_testkit::scratch_dir();
    let limiter = limiter_in(&folder);
    for damaged in [&b""[..], b"\xff", b"{}", b"{\"refused\":-1}", &[b'1'; 9000]] {
        fs::write(limiter.note.path(), damaged).unwrap();
        assert!(log_in(&limiter, "a", &Ok(())));
        fs::remove_file(limiter.note.path()).unwrap();
    }
    assert!(log_in(&limiter, "a", &Ok(())));
    let mode = || {
        fs::metadata(limiter.note.path())
            .unwrap()
            .permissions()
            .mode()
    };
    assert_eq!(mode() & 0o777, 0o600);
    fs::set_permissions(limiter.note.path(), fs::Permissions::from_mode(0o666)).unwrap();
    assert!(limiter.open().is_none());
}

#[test]
fn a_named_pipe_in_place_of_the_note_is_not_waited_for() {
    let folder = zts_testkit::scratch_dir();
    let limiter = limiter_in(&folder);
    let mode = Mode::from_raw_mode(0o600);
    mknodat(CWD, limiter.note.path(), FileType::Fifo, mode, 0).unwrap();
    assert!(limiter.open().is_none());
    assert!(log_in(&limiter, "a", &Err(refusal("permission denied"))));
}
