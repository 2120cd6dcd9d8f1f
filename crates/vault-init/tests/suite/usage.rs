//! Arguments that are refused before the request.

use crate::Uninitialised;

#[test]
fn invalid_arguments_are_refused_with_the_reason() {
    zts_testkit::require_bao!();
    let fresh = Uninitialised::new();
    let age = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    for (arguments, said) in [
        (
            vec!["--shares", "2", "--threshold", "3"],
            "3 key shares of 2",
        ),
        (
            vec!["--shares", "3", "--threshold", "1"],
            "each of 3 key shares alone",
        ),
        (
            vec![
                "--age-recipient",
                age,
                "--root-token-recipient",
                age,
                "--revoke-root-token",
            ],
            "cannot be used with",
        ),
        (vec!["--shares", "0"], "0 is not in"),
        (
            vec!["--age-recipient", age],
            "5 key shares and 1 recipients",
        ),
        (
            vec!["--shares", "1", "--threshold", "1", "--age-recipient", age],
            "in clear beside encrypted",
        ),
        (vec!["--root-token-recipient", age], "the key shares not"),
        (
            vec![
                "--shares",
                "1",
                "--threshold",
                "1",
                "--revoke-root-token",
                "--age-recipient",
                "age1x",
            ],
            "`age1x` is not an age recipient",
        ),
        (
            vec![
                "--shares",
                "1",
                "--threshold",
                "1",
                "--revoke-root-token",
                "--age-recipient",
                "ssh-ed25519 AAAA",
            ],
            "`ssh-to-age` converts",
        ),
        (
            vec![
                "--shares",
                "1",
                "--threshold",
                "1",
                "--revoke-root-token",
                "--pgp-key",
                "/nowhere",
            ],
            "`/nowhere` could not be read",
        ),
        (vec!["--start-over-storage", "/x"], "--start-over-unit"),
        (
            vec!["--address", "http://127.0.0.1:1,http://127.0.0.1:2"],
            "several addresses",
        ),
    ] {
        fresh.run(&arguments).fail(2, said);
    }
    assert!(!fresh.is_initialised());
}
