//! The files of a present host, compared with those that create-host writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    own_values::own_values,
    sources::Sources,
    template::{placeholder_values, render_files},
};
use crate::{
    fleet::Settings,
    host::{HostAddress, HostName},
    placeholders::Values,
};

/// The limit for the words of a file that may be addresses.
const MAX_WORDS: usize = 10_000;
/// The limit for the addresses that are tried.
const MAX_ADDRESSES: usize = 50;

/// The files of a host as create-host writes them.
pub(super) struct RenderedFiles {
    files: BTreeMap<String, String>,
    /// The number of the host's files that are the same.
    pub(super) count: usize,
}

impl RenderedFiles {
    /// Renders the template with the address in the machine map, or with one that the host's files
    /// have: the one with which the most files are the same.
    pub(super) fn of_host(name: &HostName, sources: &Sources, settings: &Settings) -> Self {
        let own = own_values(sources, settings).unwrap_or_default();
        let written = written_addresses(sources).into_iter().map(Some);
        let addresses = [sources.listed_address(name), None].into_iter();
        let rendered = addresses.chain(written).map(|address| {
            let values = Values {
                own: own.clone(),
                ..placeholder_values(name, address, settings)
            };
            let files = render_files(name, &values, sources, settings);
            Self::compare(files.unwrap_or_default().into_iter().collect(), sources)
        });
        let best = rendered.max_by_key(|rendered| rendered.count);
        best.unwrap_or_else(|| Self::compare(BTreeMap::new(), sources))
    }

    fn compare(files: BTreeMap<String, String>, sources: &Sources) -> Self {
        let mut rendered = Self { files, count: 0 };
        let same = sources.host_files.iter();
        rendered.count = same
            .filter(|(path, bytes)| rendered.has(path, bytes))
            .count();
        rendered
    }

    pub(super) fn has(&self, path: &str, bytes: &[u8]) -> bool {
        self.files
            .get(path)
            .is_some_and(|text| text.as_bytes() == bytes)
    }
}

/// Returns the addresses in the host's files: with a prefix length, or each address with each
/// number that can be one.
fn written_addresses(sources: &Sources) -> BTreeSet<HostAddress> {
    let texts = sources
        .host_files
        .values()
        .map(|bytes| String::from_utf8_lossy(bytes));
    let is_part = |letter: char| letter.is_ascii_hexdigit() || "./:".contains(letter);
    let mut words: BTreeSet<String> = BTreeSet::new();
    for text in texts {
        let found = text.split(|letter| !is_part(letter)).map(str::to_owned);
        words.extend(found.filter(|word| !word.is_empty()).take(MAX_WORDS));
    }
    let is_length = |word: &&String| word.parse::<u8>().is_ok_and(|length| length <= 128);
    let lengths: Vec<&String> = words.iter().filter(is_length).collect();
    let pairs = words.iter().filter(|word| word.parse::<IpAddr>().is_ok());
    let pairs = pairs.flat_map(|word| lengths.iter().map(move |length| format!("{word}/{length}")));
    let all = words.iter().cloned().chain(pairs);
    all.filter_map(|word| HostAddress::parse(&word).ok())
        .take(MAX_ADDRESSES)
        .collect()
}
