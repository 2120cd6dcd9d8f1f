//! OpenBao's snapshot archive: a gzip stream of a tar archive with `meta.json`, `state.bin`, their digests in
//! `SHA256SUMS`, and the same list sealed with the cluster's key, which only the cluster can judge.

use std::{
    collections::BTreeMap,
    io::{self, BufReader, Read},
};

use serde::Deserialize;

use crate::{
    digest::{Digest, Digesting},
    inflated::Inflated,
    members::{Members, damaged, foreign},
};

/// How much of a small part is read: OpenBao reads no more either.
const SMALL: u64 = 8192;

/// How much may lie behind the last member: Go pads a tar archive to some kilobytes at most.
const TRAILER: u64 = 1 << 20;

/// The member that describes raft's state.
const META: &str = "meta.json";
/// The member that is raft's state.
const STATE: &str = "state.bin";

/// What an archive says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Archive {
    /// The raft index that it holds everything up to.
    pub(crate) index: u64,
    /// The raft term.
    pub(crate) term: u64,
}

/// Raft's description of its state.
#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Index")]
    index: u64,
    #[serde(rename = "Term")]
    term: u64,
    #[serde(rename = "Size")]
    size: u64,
}

/// Reads the archive to its end and compares it with its own digests, however large it is. Memory stays flat, and
/// what is read stays in proportion to the archive, whatever it claims of itself.
///
/// # Errors
/// An archive that is damaged, cut short, or not one that OpenBao writes; what `source` itself gives.
pub(crate) fn check(source: impl Read) -> io::Result<Archive> {
    let source = BufReader::with_capacity(64 << 10, source);
    let mut members = Members::new(Inflated::new(source));
    let meta = check_members(&mut members)?;
    let mut content = members.into_rest();
    at_most(&mut content, TRAILER)?;
    at_most(content.into_stream(), 0)?;
    Ok(Archive {
        index: meta.index,
        term: meta.term,
    })
}

/// Reads to the end, which must come within `most` bytes.
fn at_most(rest: impl Read, most: u64) -> io::Result<()> {
    if io::copy(&mut rest.take(most + 1), &mut io::sink())? > most {
        return Err(damaged("there is more behind its end"));
    }
    Ok(())
}

/// The members of an archive that have been read.
#[derive(Default)]
struct Found {
    meta: Option<(Meta, Digest)>,
    state: Option<Digest>,
    sums: Option<Vec<u8>>,
    sealed: Option<Vec<u8>>,
}

fn check_members(members: &mut Members<impl Read>) -> io::Result<Meta> {
    let mut found = Found::default();
    while let Some((name, content)) = members.next_member()? {
        let again = match name.as_str() {
            META => found.meta.replace(read_meta(content)?).is_some(),
            STATE => {
                let mut reader = Digesting::new(content);
                io::copy(&mut reader, &mut io::sink())?;
                found.state.replace(reader.finish().1).is_some()
            }
            "SHA256SUMS" => found.sums.replace(small(content)?).is_some(),
            "SHA256SUMS.sealed" => found.sealed.replace(small(content)?).is_some(),
            _ => return Err(foreign()),
        };
        if again {
            return Err(damaged("it holds a part twice"));
        }
    }
    let (meta, meta_digest) = found.meta.ok_or_else(|| damaged("it has no `meta.json`"))?;
    let state = found
        .state
        .ok_or_else(|| damaged("it has no `state.bin`"))?;
    if state.size != meta.size {
        return Err(damaged(
            "its `state.bin` is not as long as `meta.json` says",
        ));
    }
    let sums = found
        .sums
        .ok_or_else(|| damaged("it has no `SHA256SUMS`"))?;
    let digests = BTreeMap::from([(META, meta_digest), (STATE, state)]);
    compare(&String::from_utf8_lossy(&sums), &digests)?;
    Ok(meta)
}

fn read_meta(content: impl Read) -> io::Result<(Meta, Digest)> {
    let mut reader = Digesting::new(content);
    let meta = serde_json::from_slice(&small(&mut reader)?)
        .map_err(|_| damaged("its `meta.json` is not raft's"))?;
    Ok((meta, reader.finish().1))
}

/// Reads a small member whole.
fn small(content: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content.take(SMALL).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == SMALL {
        return Err(damaged("a part is larger than OpenBao makes it"));
    }
    Ok(bytes)
}

/// Each part must stand in the list, and be what the list says.
fn compare(sums: &str, found: &BTreeMap<&str, Digest>) -> io::Result<()> {
    let listed: BTreeMap<&str, &str> = sums
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(sum, name)| (name, sum))
        .collect();
    if listed.len() != found.len() {
        return Err(damaged("its `SHA256SUMS` is not about its parts"));
    }
    for (name, digest) in found {
        match listed.get(name) {
            Some(sum) if sum.eq_ignore_ascii_case(&digest.sha256) => {}
            Some(_) => return Err(damaged(&format!("`{name}` is not what its digest says"))),
            None => return Err(damaged("its `SHA256SUMS` is not about its parts")),
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

    const STATE_BYTES: &[u8] = b"what raft holds";

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

    /// The content of an archive that has `insert` before its state.
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

    fn checked(content: &[u8]) -> io::Result<Archive> {
        check(gzip(content).as_slice())
    }

    #[test]
    fn an_archive_as_openbao_writes_it_is_good() {
        let expected = Archive { index: 7, term: 3 };
        assert_eq!(checked(&tar_with(|_| {})).unwrap(), expected);
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
        assert_eq!(checked(&tar_with(extended)).unwrap(), expected);
    }

    #[test]
    fn what_openbao_does_not_write_is_refused() {
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
            let why = checked(&tar).unwrap_err().to_string();
            assert!(
                why.contains("something that OpenBao's do not"),
                "{kind:?} {claimed}: {why}"
            );
        }
        for (name, content) in [
            (STATE, STATE_BYTES),
            ("SHA256SUMS.sealed", b"sealed".as_slice()),
        ] {
            let length = content.len() as u64;
            let tar = tar_with(|tar| append(tar, EntryType::Regular, name, length, content));
            let why = checked(&tar).unwrap_err().to_string();
            assert!(why.contains("a part twice"), "{name}: {why}");
        }
    }

    #[test]
    fn nothing_grows_beyond_proportion() {
        let mut trailing = tar_with(|_| {});
        trailing.resize(trailing.len() + (2 << 20), 0);
        let why = checked(&trailing).unwrap_err().to_string();
        assert!(why.contains("more behind its end"), "{why}");
        let bomb = vec![0; 32 << 20];
        let length = bomb.len() as u64;
        let tar = tar_with(|tar| append(tar, EntryType::Regular, STATE, length, &bomb));
        let why = checked(&tar).unwrap_err().to_string();
        assert!(why.contains("compressed far more"), "{why}");
        let large = vec![b' '; 8192];
        let tar = tar_with(|tar| append(tar, EntryType::Regular, "SHA256SUMS", 8192, &large));
        let why = checked(&tar).unwrap_err().to_string();
        assert!(why.contains("larger than OpenBao makes it"), "{why}");
    }

    proptest! {
        #[test]
        fn a_changed_archive_is_refused_or_holds_the_same(
            place in 0..tar_with(|_| {}).len(), byte: u8, cut in 0..tar_with(|_| {}).len(),
        ) {
            let mut changed = tar_with(|_| {});
            changed[place] = byte;
            if let Ok(archive) = checked(&changed) {
                prop_assert_eq!(archive, Archive { index: 7, term: 3 });
            }
            let _ = checked(&changed[..cut]);
        }

        #[test]
        fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..4_000)) {
            prop_assert!(checked(&bytes).is_err());
            prop_assert!(check(bytes.as_slice()).is_err());
        }
    }
}
