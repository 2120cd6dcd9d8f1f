//! OpenBao's snapshot archive: a gzip stream of a tar archive with `meta.json`, `state.bin`, their digests in
//! `SHA256SUMS`, and the same list sealed with the cluster's key, which only the cluster can judge.

use std::{
    collections::BTreeMap,
    io::{self, BufReader, Read},
};

use flate2::bufread::GzDecoder;
use serde::Deserialize;

use crate::digest::{Digest, Digesting};

/// How much of a small part is read: OpenBao reads no more either.
const SMALL: u64 = 8192;

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

/// Reads the archive to its end and compares it with its own digests, however large it is.
///
/// # Errors
/// An archive that is damaged or cut short, with the words of a person; what `source` itself gives.
pub(crate) fn check(source: impl Read) -> io::Result<Archive> {
    let mut source = BufReader::with_capacity(64 << 10, source);
    let mut parts = tar::Archive::new(GzDecoder::new(&mut source));
    let meta = check_parts(&mut parts)?;
    let mut rest = parts.into_inner();
    if io::copy(&mut rest, &mut io::sink())? > 1 << 20 {
        // Go pads a tar archive to some kilobytes at most.
        return Err(damaged("there is more behind its end"));
    }
    if io::copy(&mut source, &mut io::sink())? > 0 {
        return Err(damaged("there is more behind its end"));
    }
    Ok(Archive {
        index: meta.index,
        term: meta.term,
    })
}

fn check_parts(parts: &mut tar::Archive<impl Read>) -> io::Result<Meta> {
    let (mut found, mut meta, mut sums) = (BTreeMap::new(), None, None);
    for part in parts.entries()? {
        let mut part = part?;
        let name = String::from_utf8_lossy(&part.path_bytes()).into_owned();
        let again = match name.as_str() {
            "meta.json" => {
                let mut reader = Digesting::new(&mut part);
                let parsed: Meta = serde_json::from_slice(&small(&mut reader)?)
                    .map_err(|_| damaged("its `meta.json` is not raft's"))?;
                meta = Some(parsed);
                found.insert(name, reader.finish().1)
            }
            "state.bin" => {
                let mut reader = Digesting::new(&mut part);
                io::copy(&mut reader, &mut io::sink())?;
                found.insert(name, reader.finish().1)
            }
            "SHA256SUMS" => {
                sums = Some(small(&mut part)?);
                None
            }
            "SHA256SUMS.sealed" => {
                small(&mut part)?;
                None
            }
            _ => return Err(damaged("it holds something that OpenBao's do not")),
        };
        if again.is_some() {
            return Err(damaged("it holds a part twice"));
        }
    }
    let meta = meta.ok_or_else(|| damaged("it has no `meta.json`"))?;
    let state = found
        .get("state.bin")
        .ok_or_else(|| damaged("it has no `state.bin`"))?;
    if state.size != meta.size {
        return Err(damaged(
            "its `state.bin` is not as long as `meta.json` says",
        ));
    }
    let sums = sums.ok_or_else(|| damaged("it has no `SHA256SUMS`"))?;
    compare(&String::from_utf8_lossy(&sums), &found)?;
    Ok(meta)
}

fn small(part: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    part.take(SMALL).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == SMALL {
        return Err(damaged("a part is larger than OpenBao makes it"));
    }
    Ok(bytes)
}

/// Each part must stand in the list, and be what the list says.
fn compare(sums: &str, found: &BTreeMap<String, Digest>) -> io::Result<()> {
    let listed: BTreeMap<&str, &str> = sums
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(sum, name)| (name, sum))
        .collect();
    if listed.len() != found.len() {
        return Err(damaged("its `SHA256SUMS` is not about its parts"));
    }
    for (name, digest) in found {
        match listed.get(name.as_str()) {
            Some(sum) if sum.eq_ignore_ascii_case(&digest.sha256) => {}
            Some(_) => return Err(damaged(&format!("`{name}` is not what its digest says"))),
            None => return Err(damaged("its `SHA256SUMS` is not about its parts")),
        }
    }
    Ok(())
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
