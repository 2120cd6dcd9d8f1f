//! OpenBao's snapshot archive: a gzip stream of a tar archive with `meta.json`, `state.bin`, their
//! digests in `SHA256SUMS`, and the same list sealed with the cluster's key, which only the cluster
//! can check.

mod container;

use std::{
    collections::BTreeMap,
    io::{self, BufReader, PipeWriter, Read, Write},
    thread,
};

use serde::Deserialize;

use crate::digest::{Digest, DigestStream};
use container::{BoundedGzip, MemberReader, damaged, unexpected_member};

/// The limit of a small member in bytes, which is OpenBao's own.
const SMALL_MEMBER: u64 = 8192;
/// The limit of padding behind the last member in bytes: Go pads by some kilobytes at most.
const TRAILER: u64 = 1 << 20;
/// The number of bytes that are copied at a time.
const CHUNK: u64 = 64 << 10;

/// The member that describes raft's state.
const META: &str = "meta.json";
/// The member with raft's state.
const STATE: &str = "state.bin";

/// The position in raft's log up to which an archive reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RaftPosition {
    pub(crate) index: u64,
    pub(crate) term: u64,
}

/// The content of `meta.json`.
#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Index")]
    index: u64,
    #[serde(rename = "Term")]
    term: u64,
    #[serde(rename = "Size")]
    size: u64,
}

/// The result of [`verify_and_copy`].
pub(crate) struct Inspection {
    /// The archive's position, or its damage.
    pub(crate) archive: io::Result<RaftPosition>,
    /// The error that ended the copying early.
    pub(crate) copy_error: Option<CopyError>,
}

/// An error of one end of a copy.
#[derive(Debug)]
pub(crate) enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

/// Copies an archive from `source` to `target` and verifies it on the way, in a thread of its own.
/// Memory use does not depend on the archive's size. The copying ends early where the archive is
/// damaged.
///
/// # Errors
/// No pipe or thread can be made.
pub(crate) fn verify_and_copy(source: impl Read, target: impl Write) -> io::Result<Inspection> {
    let (pipe_reader, pipe_writer) = io::pipe()?;
    thread::scope(|scope| {
        let verifier =
            thread::Builder::new().spawn_scoped(scope, move || verify_archive(pipe_reader))?;
        let copy_error = copy_to_both(source, target, pipe_writer).err();
        let archive = verifier
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("its verification panicked")));
        Ok(Inspection {
            archive,
            copy_error,
        })
    })
}

/// Copies to both, and closes the pipe at the end, so that its reader ends.
fn copy_to_both(
    mut source: impl Read,
    mut target: impl Write,
    mut pipe: PipeWriter,
) -> Result<(), CopyError> {
    let mut chunk = Vec::new();
    loop {
        chunk.clear();
        // Full chunks: small ones would wake the other thread too often. On an error, the bytes
        // before it are in the chunk.
        let read = source.by_ref().take(CHUNK).read_to_end(&mut chunk);
        target.write_all(&chunk).map_err(CopyError::Write)?;
        if pipe.write_all(&chunk).is_err() {
            return Ok(()); // the verification has ended: the archive is damaged
        }
        if read.map_err(CopyError::Read)? == 0 {
            return Ok(());
        }
    }
}

/// Reads the archive to its end and compares it with its own digests. Memory use does not depend on
/// its size, and the time is in proportion to the archive, whatever sizes it claims.
///
/// # Errors
/// An archive that is damaged, cut short, or not written by OpenBao; errors of `source`.
fn verify_archive(source: impl Read) -> io::Result<RaftPosition> {
    let source = BufReader::with_capacity(64 << 10, source);
    let mut members = MemberReader::new(BoundedGzip::new(source));
    let meta = verify_members(&mut members)?;
    let mut content = members.into_rest();
    expect_end_within(&mut content, TRAILER)?;
    expect_end_within(content.into_stream(), 0)?;
    Ok(RaftPosition {
        index: meta.index,
        term: meta.term,
    })
}

/// Reads to the end, which must come within `limit` bytes.
fn expect_end_within(rest: impl Read, limit: u64) -> io::Result<()> {
    if io::copy(&mut rest.take(limit + 1), &mut io::sink())? > limit {
        return Err(damaged("there is more behind its end"));
    }
    Ok(())
}

/// The members of an archive that have been read so far.
#[derive(Default)]
struct Members {
    meta: Option<(Meta, Digest)>,
    state: Option<Digest>,
    sums: Option<Vec<u8>>,
    sealed_sums: Option<Vec<u8>>,
}

fn verify_members(reader: &mut MemberReader<impl Read>) -> io::Result<Meta> {
    let mut members = Members::default();
    while let Some((name, content)) = reader.next_member()? {
        let is_duplicate = match name.as_str() {
            META => members.meta.replace(read_meta(content)?).is_some(),
            STATE => {
                let mut state = DigestStream::new(content);
                io::copy(&mut state, &mut io::sink())?;
                members.state.replace(state.finish().1).is_some()
            }
            "SHA256SUMS" => members.sums.replace(read_small(content)?).is_some(),
            "SHA256SUMS.sealed" => members.sealed_sums.replace(read_small(content)?).is_some(),
            _ => return Err(unexpected_member()),
        };
        if is_duplicate {
            return Err(damaged("it holds a part twice"));
        }
    }
    let (meta, meta_digest) = members
        .meta
        .ok_or_else(|| damaged("it has no `meta.json`"))?;
    let state = members
        .state
        .ok_or_else(|| damaged("it has no `state.bin`"))?;
    if state.size != meta.size {
        return Err(damaged(
            "its `state.bin` is not as long as `meta.json` says",
        ));
    }
    let sums = members
        .sums
        .ok_or_else(|| damaged("it has no `SHA256SUMS`"))?;
    let digests = BTreeMap::from([(META, meta_digest), (STATE, state)]);
    compare_digests(&String::from_utf8_lossy(&sums), &digests)?;
    Ok(meta)
}

fn read_meta(content: impl Read) -> io::Result<(Meta, Digest)> {
    let mut reader = DigestStream::new(content);
    let meta = serde_json::from_slice(&read_small(&mut reader)?)
        .map_err(|_| damaged("its `meta.json` is not raft's"))?;
    Ok((meta, reader.finish().1))
}

fn read_small(content: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content.take(SMALL_MEMBER).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == SMALL_MEMBER {
        return Err(damaged("a part is larger than OpenBao makes it"));
    }
    Ok(bytes)
}

/// Compares the members with the list in `SHA256SUMS`, which must have exactly these.
fn compare_digests(sums: &str, members: &BTreeMap<&str, Digest>) -> io::Result<()> {
    let listed: BTreeMap<&str, &str> = sums
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(sum, name)| (name, sum))
        .collect();
    if listed.len() != members.len() {
        return Err(damaged("its `SHA256SUMS` does not list its parts"));
    }
    for (name, digest) in members {
        match listed.get(name) {
            Some(sum) if sum.eq_ignore_ascii_case(&digest.sha256) => {}
            Some(_) => {
                return Err(damaged(&format!(
                    "`{name}` does not have its listed digest"
                )));
            }
            None => return Err(damaged("its `SHA256SUMS` does not list its parts")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use tar::{EntryType, Header};

    use super::*;
    use crate::digest::sha256;

    const STATE_BYTES: &[u8] = b"raft state";

    fn meta() -> String {
        format!(
            r#"{{"Index": 7, "Term": 3, "Size": {}}}"#,
            STATE_BYTES.len()
        )
    }

    fn append(tar: &mut Vec<u8>, kind: EntryType, name: &str, claimed: u64, content: &[u8]) {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_path(name).unwrap();
        header.set_size(claimed);
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }

    /// Returns the tar archive of a snapshot with the members that `insert` adds before its state.
    fn tar_with(insert: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
        let mut tar = Vec::new();
        let meta = meta();
        let length = |bytes: &[u8]| bytes.len() as u64;
        let regular = EntryType::Regular;
        append(
            &mut tar,
            regular,
            META,
            length(meta.as_bytes()),
            meta.as_bytes(),
        );
        insert(&mut tar);
        append(&mut tar, regular, STATE, length(STATE_BYTES), STATE_BYTES);
        let sums = format!(
            "{}  {META}\n{}  {STATE}\n",
            sha256(meta.as_bytes()),
            sha256(STATE_BYTES)
        );
        append(
            &mut tar,
            regular,
            "SHA256SUMS",
            length(sums.as_bytes()),
            sums.as_bytes(),
        );
        append(&mut tar, regular, "SHA256SUMS.sealed", 6, b"sealed");
        tar.resize(tar.len() + 1024, 0);
        tar
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn verified(content: &[u8]) -> io::Result<RaftPosition> {
        verify_archive(gzip(content).as_slice())
    }

    #[test]
    fn archives_of_openbao_are_accepted() {
        let expected = RaftPosition { index: 7, term: 3 };
        assert_eq!(verified(&tar_with(|_| {})).unwrap(), expected);
        // Go writes the size of a member beyond 8 GiB into an extended header.
        let size = format!("11 size={}\n", STATE_BYTES.len());
        let extended = |tar: &mut Vec<u8>| {
            append(
                tar,
                EntryType::XHeader,
                "PaxHeaders.0/state.bin",
                11,
                size.as_bytes(),
            );
        };
        assert_eq!(verified(&tar_with(extended)).unwrap(), expected);
    }

    #[test]
    fn members_that_openbao_does_not_write_are_refused() {
        let long = 1 << 40;
        let cases: [(EntryType, &str, u64, &[u8]); 9] = [
            (EntryType::GNULongName, "x", long, b"x"),
            (EntryType::GNULongLink, "x", long, b"x"),
            (EntryType::GNUSparse, STATE, long, b"x"),
            (EntryType::XHeader, "x", long, b"x"),
            (EntryType::XHeader, "x", 20, b"20 path=elsewhere.x\n"),
            (EntryType::XGlobalHeader, "x", long, b"x"),
            (EntryType::Symlink, META, 0, b""),
            (EntryType::Directory, "x", 0, b""),
            (EntryType::Regular, "more", 1, b"x"),
        ];
        for (kind, name, claimed, content) in cases {
            let tar = tar_with(|tar| append(tar, kind, name, claimed, content));
            let why = verified(&tar).unwrap_err().to_string();
            assert!(
                why.contains("a part that OpenBao does not write"),
                "{kind:?} {claimed}: {why}"
            );
        }
        for (name, content) in [
            (STATE, STATE_BYTES),
            ("SHA256SUMS.sealed", b"sealed".as_slice()),
        ] {
            let length = content.len() as u64;
            let tar = tar_with(|tar| append(tar, EntryType::Regular, name, length, content));
            let why = verified(&tar).unwrap_err().to_string();
            assert!(why.contains("a part twice"), "{name}: {why}");
        }
    }

    #[test]
    fn sizes_out_of_proportion_are_refused() {
        let mut trailing = tar_with(|_| {});
        trailing.resize(trailing.len() + (2 << 20), 0);
        let why = verified(&trailing).unwrap_err().to_string();
        assert!(why.contains("more behind its end"), "{why}");
        let bomb = vec![0; 32 << 20];
        let length = bomb.len() as u64;
        let tar = tar_with(|tar| append(tar, EntryType::Regular, STATE, length, &bomb));
        let why = verified(&tar).unwrap_err().to_string();
        assert!(why.contains("compressed far more"), "{why}");
        let large = vec![b' '; 8192];
        let tar = tar_with(|tar| append(tar, EntryType::Regular, "SHA256SUMS", 8192, &large));
        let why = verified(&tar).unwrap_err().to_string();
        assert!(why.contains("larger than OpenBao makes it"), "{why}");
    }

    proptest! {
        #[test]
        fn a_changed_archive_is_refused_or_has_the_same_content(
            place in 0..tar_with(|_| {}).len(), byte: u8, cut in 0..tar_with(|_| {}).len(),
        ) {
            let mut changed = tar_with(|_| {});
            changed[place] = byte;
            if let Ok(archive) = verified(&changed) {
                prop_assert_eq!(archive, RaftPosition { index: 7, term: 3 });
            }
            let _ = verified(&changed[..cut]);
        }

        #[test]
        fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..4_000)) {
            prop_assert!(verified(&bytes).is_err());
            prop_assert!(verify_archive(bytes.as_slice()).is_err());
        }
    }
}
