//! Stores by an attacker, whose answers are endless, invalid, or redirect.

use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use zts_testkit::{RunOutput, ScratchDir, scratch_dir};

use crate::{
    hostile::{NAME, describe, run_bounded},
    site::vault_snapshot,
};

/// A store with answers of the test.
struct Store {
    address: String,
    asked: Arc<AtomicUsize>,
    folder: ScratchDir,
}

/// The status line, headers and body of an answer.
type Answer = (&'static str, String, Vec<u8>);

fn xml(body: impl Into<Vec<u8>>) -> Answer {
    ("200 OK", String::new(), body.into())
}

impl Store {
    /// Starts a store that answers request number `n` (from 0) for a path with `answer(n, path)`.
    /// The header `x-endless` makes the body endless.
    fn start(answer: impl Fn(usize, &str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let (count, answer) = (Arc::clone(&asked), Arc::new(answer));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (count, answer) = (Arc::clone(&count), Arc::clone(&answer));
                // Clients may disconnect.
                thread::spawn(move || drop(serve(&client, &count, answer.as_ref())));
            }
        });
        let folder = scratch_dir();
        let key = "aws_access_key_id = test-key\naws_secret_access_key = not-to-be-sent\n";
        fs::write(folder.join("key"), key).unwrap();
        Self {
            address,
            asked,
            folder,
        }
    }

    fn run(&self, arguments: &[&str]) -> RunOutput {
        let key = self.folder.join("key");
        let place = format!("{}/bucket?credentials={}", self.address, key.display());
        let run = vault_snapshot(arguments).args(["--s3", &place, "--s3-timeout", "4s"]);
        run_bounded(run)
    }
}

fn serve(
    client: &TcpStream,
    count: &AtomicUsize,
    answer: &(impl Fn(usize, &str) -> Answer + ?Sized),
) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    let (mut path, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line)? > 2 {
        if path.is_empty() {
            line.split(' ')
                .nth(1)
                .unwrap_or_default()
                .clone_into(&mut path);
        }
        line.clear();
    }
    let (status, headers, body) = answer(count.fetch_add(1, Ordering::SeqCst), &path);
    let mut client = client;
    write!(
        client,
        "HTTP/1.1 {status}\r\nconnection: close\r\n{headers}"
    )?;
    if headers.contains("x-endless") {
        client.write_all(b"\r\n")?;
        loop {
            client.write_all(&[b'x'; 8192])?;
        }
    }
    write!(client, "content-length: {}\r\n\r\n", body.len())?;
    client.write_all(&body)
}

fn page(inside: &str) -> Answer {
    xml(format!("<ListBucketResult>{inside}</ListBucketResult>"))
}

#[test]
fn a_stores_message_is_printed_in_part() {
    let long = "word ".repeat(3 << 20);
    for (status, body) in [
        (
            "403 Forbidden",
            format!("<Error><Code>AccessDenied</Code><Message>{long}</Message></Error>"),
        ),
        (
            "403 Forbidden",
            format!("<Error><Message>no</Message><Code>{long}</Code></Error>"),
        ),
        ("404 Not Found", format!("<html>{long}")),
        (
            "403 Forbidden",
            format!(
                "<Error><Code>A</Code><Message>{}</Message></Error>",
                &long[..15_000]
            ),
        ),
    ] {
        let store = Store::start(move |_, _| (status, String::new(), body.clone().into_bytes()));
        store.run(&["list"]).assert_failure(1, &status[..3]);
    }
    let steering = "<Error><Code>A\u{1b}[31m</Code><Message>one&#10;&#27;two</Message></Error>";
    let store = Store::start(move |_, _| ("403 Forbidden", String::new(), steering.into()));
    store.run(&["list"]).assert_reports("(A [31m: one two)");
}

#[test]
fn an_endless_listing_is_ended() {
    let token = |text: &str| {
        page(&format!(
            "<NextContinuationToken>{text}</NextContinuationToken>"
        ))
    };
    let ever_new = Store::start(move |number, _| token(&format!("t{number}")));
    let output = ever_new.run(&["list"]);
    output.assert_reports("does not end after");
    assert!(ever_new.asked.load(Ordering::SeqCst) <= 300);
    let alternating = Store::start(move |number, _| token(["a", "b", "c"][number % 3]));
    let output = alternating.run(&["list"]);
    output.assert_reports("the same continuation token");
    assert_eq!(alternating.asked.load(Ordering::SeqCst), 4);
    let long = "t".repeat(1 << 20);
    let output = Store::start(move |_, _| token(&long)).run(&["list"]);
    output.assert_reports("marker of the next page");
}

#[test]
fn invalid_listings_are_refused() {
    let attributes: Vec<_> = (0..300_000)
        .map(|number| format!("a{number}=\"\" "))
        .collect();
    for (body, message) in [
        (format!("{}{}", "<a>".repeat(1_000_000), "</a>".repeat(1_000_000)), "its answer is not S3's"),
        (format!("<ListBucketResult {}></ListBucketResult>", attributes.concat()), "its answer is not S3's"),
        (format!("<ListBucketResult>{}</ListBucketResult>", "x".repeat(30 << 20)), "it is larger than 8 MiB"),
        (
            format!("<ListBucketResult><Contents><Key>{}</Key><Size>1</Size></Contents></ListBucketResult>", "k".repeat(2_000)),
            "longer than S3's can be",
        ),
        ("<ListBucketResult><Contents><Key>k</Key><Size>-1</Size></Contents></ListBucketResult>".to_owned(), "it is not the XML expected here"),
        ("<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><ListBucketResult><Contents><Key>&b;</Key><Size>1</Size></Contents></ListBucketResult>".to_owned(), "S3's"),
    ] {
        let store = Store::start(move |_, _| xml(body.clone()));
        store.run(&["list"]).assert_failure(1, message);
    }
}

/// Ends the download of an endless object that is listed with 1,000 bytes.
#[test]
fn an_endless_object_is_ended() {
    let folder = scratch_dir();
    fs::write(folder.join(NAME), "x".repeat(1_000)).unwrap();
    describe(&folder, NAME, &[]);
    let about = fs::read(folder.join(format!("{NAME}.json"))).unwrap();
    for endless_description in [false, true] {
        let about = about.clone();
        let store = Store::start(move |_, path| {
            if path.contains("list-type") {
                return page(&format!(
                    "<Contents><Key>{NAME}</Key><Size>1000</Size></Contents>"
                ));
            }
            if path.ends_with(".json") && !endless_description {
                return xml(about.clone());
            }
            ("200 OK", "x-endless: yes\r\n".to_owned(), Vec::new())
        });
        let output = store.run(&["verify"]).assert_status(1);
        let message = if endless_description {
            "no description beside it"
        } else {
            "is damaged"
        };
        output.assert_reports(message);
    }
}

/// Sends no signed request to another host.
#[test]
fn a_redirect_is_not_followed() {
    let other = Store::start(|_, _| page(""));
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
    ] {
        let location = format!("location: {}/elsewhere\r\n", other.address);
        let store = Store::start(move |_, _| (status, location.clone(), Vec::new()));
        store.run(&["list"]).assert_failure(1, &status[..3]);
    }
    assert_eq!(other.asked.load(Ordering::SeqCst), 0);
}

#[test]
fn a_store_without_tls_causes_a_warning() {
    let folder = scratch_dir();
    let key = folder.join("key");
    fs::write(&key, "aws_access_key_id = a\naws_secret_access_key = b\n").unwrap();
    for (scheme, message) in [("http", true), ("https", false)] {
        let place = format!(
            "{scheme}://store.invalid/bucket?credentials={}",
            key.display()
        );
        let output = vault_snapshot(&["list", "--s3", &place, "--s3-timeout", "1s"])
            .run()
            .assert_status(1);
        assert_eq!(
            output
                .stderr
                .contains("`store.invalid` is used without TLS"),
            message,
            "{output}"
        );
    }
}
