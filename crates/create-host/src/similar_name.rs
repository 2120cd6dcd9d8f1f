//! "Did you mean": the nearest of the names that are allowed.

/// The name among `names` that `written` was probably meant to be.
pub(crate) fn closest<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let written = plain(written);
    names
        .map(|name| {
            (
                strsim::normalized_damerau_levenshtein(&written, &plain(name)),
                name,
            )
        })
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn finds_what_was_meant() {
        let names = ["address", "kv_mount", "approle_mount", "wrap_ttl"];
        for (written, meant) in [
            ("adress", Some("address")),
            ("kv-mount", Some("kv_mount")),
            ("wrapTtl", Some("wrap_ttl")),
            ("zebra", None),
            ("", None),
        ] {
            assert_eq!(closest(written, names.into_iter()), meant, "{written}");
        }
    }
}
