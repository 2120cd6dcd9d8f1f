//! Archives, descriptions and stores made by somebody who may write there, to bring a run down.

use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use age::secrecy::ExposeSecret;
use serde_json::json;
use tar::{EntryType, Header};
use testkit::{Output, Run, ScratchDir, scratch_dir};

use crate::site::vault_snapshot;

/// More than any run may need, in KiB.
const MEMORY: u64 = 64 << 10;
/// More than any of these may take.
const TIME: Duration = Duration::from_secs(15);
const NAME: &str = "openbao-main-2026-11-24T19-50-00Z.snap";

/// Runs it to its end, which must come soon, and without much memory.
fn run_bounded(run: Run) -> Output {
    let (output, peak) = run.limit(TIME).start().finish_weighed();
    assert!(peak < MEMORY, "{peak} KiB: {}", beginning(&output.stderr));
    let length = output.stderr.len();
    assert!(
        length < 4_000,
        "{length} bytes are said: {}",
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

/// A gzip stream of a header and 128 MiB of zeros, which it claims as the member's content.
fn member_of_zeros(path: &Path, kind: EntryType, name: &str) {
    const SIZE: usize = 128 << 20;
    let mut gzip = Command::new("gzip")
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

/// Writes a description that fits the file, whatever that is.
fn describe(folder: &Path, name: &str, encrypted_to: &[&str]) {
    let path = folder.join(name);
    let sum = Command::new("sha256sum").arg(&path).output().unwrap();
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
fn a_small_archive_costs_neither_memory_nor_time() {
    let folder = scratch_dir();
    for (kind, name, told) in [
        (
            EntryType::GNULongName,
            "././@LongLink",
            "something that OpenBao's do not",
        ),
        (
            EntryType::GNULongLink,
            "././@LongLink",
            "something that OpenBao's do not",
        ),
        (
            EntryType::XHeader,
            "PaxHeaders.0/x",
            "something that OpenBao's do not",
        ),
        (
            EntryType::XGlobalHeader,
            "pax_global_header",
            "something that OpenBao's do not",
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
                // There must be something to remove.
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
                output.stderr.contains(told),
                "{command} {kind:?} {name}: {output}"
            );
        }
    }
}

/// What is encrypted may hide it, or be endless itself.
#[test]
fn a_small_encrypted_file_neither() {
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
    for (content, told) in [
        (None, "something that OpenBao's do not"),
        (Some(endless), "its header is longer"),
    ] {
        if let Some(content) = content {
            fs::write(folder.join(&name), content).unwrap();
        }
        describe(&folder, &name, &[&text]);
        let run = vault_snapshot(&["verify", "--dir"]).arg(&*folder);
        let output = run_bounded(run.arg("--age-identity").arg(&key));
        assert_eq!(output.code(), Some(1), "{output}");
        assert!(output.stderr.contains(told), "{output}");
    }
}

#[test]
fn a_description_without_end_is_none() {
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
        assert!(
            output.stdout.contains("no description beside it"),
            "{output}"
        );
    }
}

/// A store that answers whatever the test wants.
struct Store {
    address: String,
    asked: Arc<AtomicUsize>,
    folder: ScratchDir,
}

/// What a store answers: status line, headers, body.
type Answer = (&'static str, String, Vec<u8>);

fn xml(body: impl Into<Vec<u8>>) -> Answer {
    ("200 OK", String::new(), body.into())
}

impl Store {
    /// One that answers request number `n` (from 0) for a path with `answer(n, path)`, and sends the body for ever
    /// where the test says so with an empty one and the header `x-endless`.
    fn start(answer: impl Fn(usize, &str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let (count, answer) = (Arc::clone(&asked), Arc::new(answer));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (count, answer) = (Arc::clone(&count), Arc::clone(&answer));
                // A client that goes away is what this is about.
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

    fn run(&self, arguments: &[&str]) -> Output {
        let key = self.folder.join("key");
        let place = format!("{}/bucket?credentials={}", self.address, key.display());
        let run = vault_snapshot(arguments).args(["--s3", &place, "--s3-patience", "4s"]);
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
fn what_a_store_says_is_shown_in_part() {
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
        let output = store.run(&["list"]);
        assert_eq!(output.code(), Some(1), "{output}");
        assert!(output.stderr.contains(&status[..3]), "{output}");
    }
    let steering = "<Error><Code>A\u{1b}[31m</Code><Message>one&#10;&#27;two</Message></Error>";
    let store = Store::start(move |_, _| ("403 Forbidden", String::new(), steering.into()));
    let output = store.run(&["list"]);
    assert!(output.stderr.contains("(A [31m: one two)"), "{output}");
}

#[test]
fn a_listing_that_does_not_end_is_ended() {
    let token = |text: &str| {
        page(&format!(
            "<NextContinuationToken>{text}</NextContinuationToken>"
        ))
    };
    let ever_new = Store::start(move |number, _| token(&format!("t{number}")));
    let output = ever_new.run(&["list"]);
    assert!(output.stderr.contains("does not end after"), "{output}");
    assert!(ever_new.asked.load(Ordering::SeqCst) <= 300);
    let alternating = Store::start(move |number, _| token(["a", "b", "c"][number % 3]));
    let output = alternating.run(&["list"]);
    assert!(output.stderr.contains("the same page twice"), "{output}");
    assert_eq!(alternating.asked.load(Ordering::SeqCst), 4);
    let long = "t".repeat(1 << 20);
    let output = Store::start(move |_, _| token(&long)).run(&["list"]);
    assert!(
        output.stderr.contains("marker of the next page"),
        "{output}"
    );
}

#[test]
fn xml_that_is_no_list_is_refused() {
    let attributes: Vec<_> = (0..300_000)
        .map(|number| format!("a{number}=\"\" "))
        .collect();
    for (body, told) in [
        (format!("{}{}", "<a>".repeat(1_000_000), "</a>".repeat(1_000_000)), "no answer of S3's"),
        (format!("<ListBucketResult {}></ListBucketResult>", attributes.concat()), "no answer of S3's"),
        (format!("<ListBucketResult>{}</ListBucketResult>", "x".repeat(30 << 20)), "longer than S3's can be"),
        (
            format!("<ListBucketResult><Contents><Key>{}</Key><Size>1</Size></Contents></ListBucketResult>", "k".repeat(2_000)),
            "longer than S3's can be",
        ),
        ("<ListBucketResult><Contents><Key>k</Key><Size>-1</Size></Contents></ListBucketResult>".to_owned(), "not S3's XML"),
        ("<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><ListBucketResult><Contents><Key>&b;</Key><Size>1</Size></Contents></ListBucketResult>".to_owned(), "S3's"),
    ] {
        let store = Store::start(move |_, _| xml(body.clone()));
        let output = store.run(&["list"]);
        assert_eq!(output.code(), Some(1), "{output}");
        assert!(output.stderr.contains(told), "{told}: {output}");
    }
}

/// An object of 1,000 bytes, as the list says, that does not end.
#[test]
fn an_object_that_does_not_end_is_left() {
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
        let output = store.run(&["verify"]);
        assert_eq!(output.code(), Some(1), "{output}");
        let told = if endless_description {
            "no description beside it"
        } else {
            "is damaged"
        };
        assert!(output.stderr.contains(told), "{output}");
    }
}

/// What is signed for one host is sent to no other.
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
        let output = store.run(&["list"]);
        assert_eq!(output.code(), Some(1), "{output}");
        assert!(output.stderr.contains(&status[..3]), "{output}");
    }
    assert_eq!(other.asked.load(Ordering::SeqCst), 0);
}

#[test]
fn a_store_without_tls_is_told() {
    let folder = scratch_dir();
    let key = folder.join("key");
    fs::write(&key, "aws_access_key_id = a\naws_secret_access_key = b\n").unwrap();
    for (scheme, told) in [("http", true), ("https", false)] {
        let place = format!(
            "{scheme}://store.invalid/bucket?credentials={}",
            key.display()
        );
        let output = vault_snapshot(&["list", "--s3", &place, "--s3-patience", "1s"]).run();
        assert_eq!(output.code(), Some(1), "{output}");
        assert_eq!(
            output
                .stderr
                .contains("`store.invalid` is reached without TLS"),
            told,
            "{output}"
        );
    }
}
