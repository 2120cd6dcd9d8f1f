//! The pages of a listing: how many are asked for, and how much is kept of them.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use ring::digest::{SHA256, digest};

/// How many pages a listing may have.
const MOST_PAGES: usize = 300;
/// How many entries.
const MOST_ENTRIES: usize = 100_000;
/// The longest key that S3 knows, in bytes, and the longest marker that is sent back.
const LONGEST_KEY: usize = 1_024;
const LONGEST_MARKER: usize = 4 << 10;

/// Ends a listing that does not end by itself.
pub(crate) struct Pages {
    until: Instant,
    seen: HashSet<[u8; 32]>,
    count: usize,
    entries: usize,
}

impl Pages {
    /// Returns the limits of a listing of which each page may take `patience`.
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            until: openbao::deadline_in(patience.saturating_mul(5)),
            seen: HashSet::new(),
            count: 0,
            entries: 0,
        }
    }

    /// Takes a page with these keys and the markers of the next one, if there is one.
    ///
    /// # Errors
    /// Why the listing must end here.
    pub(crate) fn take<'a>(
        &mut self,
        keys: impl Iterator<Item = &'a str>,
        next: Option<&[&str]>,
    ) -> Result<(), String> {
        for key in keys {
            self.entries += 1;
            if key.len() > LONGEST_KEY {
                return Err("a key in its list is longer than S3's can be".to_owned());
            }
        }
        if self.entries > MOST_ENTRIES {
            return Err(format!(
                "its list has more than {MOST_ENTRIES} entries: give snapshots a prefix of their own"
            ));
        }
        let Some(markers) = next else { return Ok(()) };
        self.count += 1;
        let marker = markers.join("\n");
        if marker.len() > LONGEST_MARKER {
            return Err("the marker of the next page of its list is too long".to_owned());
        }
        let mut seen = [0; 32];
        seen.copy_from_slice(digest(&SHA256, marker.as_bytes()).as_ref());
        if !self.seen.insert(seen) {
            return Err("its list goes round: it points to the same page twice".to_owned());
        }
        if self.count >= MOST_PAGES || Instant::now() >= self.until {
            return Err(format!("its list does not end after {} pages", self.count));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages() -> Pages {
        Pages::new(Duration::from_secs(60))
    }

    #[test]
    fn a_list_that_does_not_end_is_ended() {
        let mut alternating = pages();
        assert!(alternating.take([].into_iter(), Some(&["a"])).is_ok());
        assert!(alternating.take([].into_iter(), Some(&["b"])).is_ok());
        let why = alternating.take([].into_iter(), Some(&["a"])).unwrap_err();
        assert!(why.contains("the same page twice"), "{why}");

        let mut ever_new = pages();
        let ends = (0..).find_map(|number| {
            let marker = format!("{number}");
            ever_new.take([].into_iter(), Some(&[&marker])).err()
        });
        assert_eq!(ends.unwrap(), "its list does not end after 300 pages");

        let mut out_of_time = Pages::new(Duration::ZERO);
        assert!(out_of_time.take([].into_iter(), Some(&["a"])).is_err());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let page = ["key"; 1_000];
        let ends = (0..).find_map(|number| {
            let mut all = pages();
            let whole = page.iter().copied().cycle().take(number * 1_000);
            all.take(whole, None).err().map(|why| (number, why))
        });
        let (number, why) = ends.unwrap();
        assert!(
            number == 101 && why.contains("more than 100000 entries"),
            "{why}"
        );
        let long = "k".repeat(LONGEST_KEY + 1);
        assert!(pages().take([long.as_str()].into_iter(), None).is_err());
        let long = "k".repeat(LONGEST_MARKER + 1);
        assert!(pages().take([].into_iter(), Some(&[&long])).is_err());
        assert!(pages().take(page.into_iter(), None).is_ok());
    }
}
