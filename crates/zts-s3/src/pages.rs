//! Limits on the pages of a listing.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use ring::digest::{SHA256, digest};
use zts_net::deadline_in;

use crate::Cause;

/// The most pages of a listing.
const MOST_PAGES: usize = 300;
/// The most entries of a listing.
const MOST_ENTRIES: usize = 100_000;
/// The longest key that S3 allows, in bytes.
const LONGEST_KEY: usize = 1_024;
/// The longest marker of a next page, in bytes.
const LONGEST_MARKER: usize = 4 << 10;

/// The limits of one listing, which end one that has no end.
pub(crate) struct PageLimits {
    deadline: Instant,
    /// The digests of the markers so far.
    markers: HashSet<[u8; 32]>,
    pages: usize,
    entries: usize,
}

impl PageLimits {
    /// Returns the limits of a listing whose pages may take `timeout` each.
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            deadline: deadline_in(timeout.saturating_mul(5)),
            markers: HashSet::new(),
            pages: 0,
            entries: 0,
        }
    }

    /// Counts a page with these keys and the markers of the next one, if there is one.
    ///
    /// # Errors
    /// A limit that is exceeded.
    pub(crate) fn check_page<'a>(
        &mut self,
        keys: impl Iterator<Item = &'a str>,
        next: Option<&[&str]>,
    ) -> Result<(), Cause> {
        let exceeded = |why: String| Err(Cause::BadReply(why));
        for key in keys {
            self.entries += 1;
            if key.len() > LONGEST_KEY {
                return exceeded("a key in its list is longer than S3's can be".to_owned());
            }
        }
        if self.entries > MOST_ENTRIES {
            return exceeded(format!(
                "its list has more than {MOST_ENTRIES} entries: give snapshots a prefix of their own"
            ));
        }
        let Some(markers) = next else { return Ok(()) };
        self.pages += 1;
        let marker = markers.join("\n");
        if marker.len() > LONGEST_MARKER {
            return exceeded("the marker of the next page of its list is too long".to_owned());
        }
        let mut digested = [0; 32];
        digested.copy_from_slice(digest(&SHA256, marker.as_bytes()).as_ref());
        if !self.markers.insert(digested) {
            return exceeded("the same continuation token was returned twice".to_owned());
        }
        if self.pages >= MOST_PAGES || Instant::now() >= self.deadline {
            let pages = self.pages;
            return exceeded(format!("its list does not end after {pages} pages"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> PageLimits {
        PageLimits::new(Duration::from_secs(60))
    }

    #[test]
    fn an_endless_listing_is_ended() {
        let mut alternating = limits();
        assert!(alternating.check_page([].into_iter(), Some(&["a"])).is_ok());
        assert!(alternating.check_page([].into_iter(), Some(&["b"])).is_ok());
        let why = alternating
            .check_page([].into_iter(), Some(&["a"]))
            .unwrap_err()
            .to_string();
        assert!(why.contains("the same continuation token"), "{why}");

        let mut ever_new = limits();
        let ends = (0..).find_map(|number| {
            let marker = format!("{number}");
            ever_new.check_page([].into_iter(), Some(&[&marker])).err()
        });
        let why = ends.unwrap().to_string();
        assert!(why.contains("does not end after 300 pages"), "{why}");

        let mut out_of_time = PageLimits {
            deadline: Instant::now(),
            ..limits()
        };
        assert!(
            out_of_time
                .check_page([].into_iter(), Some(&["a"]))
                .is_err()
        );
    }

    #[test]
    fn keys_and_markers_are_limited() {
        let page = ["key"; 1_000];
        let ends = (0..).find_map(|number| {
            let mut all = limits();
            let whole = page.iter().copied().cycle().take(number * 1_000);
            all.check_page(whole, None)
                .err()
                .map(|why| (number, why.to_string()))
        });
        let (number, why) = ends.unwrap();
        assert!(
            number == 101 && why.contains("more than 100000 entries"),
            "{why}"
        );
        let long = "k".repeat(LONGEST_KEY + 1);
        assert!(
            limits()
                .check_page([long.as_str()].into_iter(), None)
                .is_err()
        );
        let long = "k".repeat(LONGEST_MARKER + 1);
        assert!(limits().check_page([].into_iter(), Some(&[&long])).is_err());
        assert!(limits().check_page(page.into_iter(), None).is_ok());
    }
}
