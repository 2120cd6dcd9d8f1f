//! Names of hosts that begin alike, whose files and functions have only the rest.

/// Returns the names without the beginning that all of them have, up to a `-`, `_` or `.`.
#[must_use]
pub fn short_names(names: &[String]) -> Vec<String> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let length = common_prefix(&names).len();
    names.iter().map(|name| name[length..].to_owned()).collect()
}

/// Returns the beginning that all names have, up to a `-`, `_` or `.`.
pub(super) fn common_prefix<'n>(names: &[&'n str]) -> &'n str {
    let [first, rest @ ..] = names else {
        return "";
    };
    let ends = first.match_indices(['-', '_', '.']).map(|(end, _)| end + 1);
    let is_shared = |end: &usize| {
        rest.iter()
            .all(|name| name.starts_with(&first[..*end]) && name.len() > *end)
    };
    let end = ends
        .filter(|end| *end < first.len())
        .take_while(is_shared)
        .last();
    end.filter(|_| !rest.is_empty())
        .map_or("", |end| &first[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_beginning_of_names_is_taken_away() {
        let short = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            short_names(&names)
        };
        assert_eq!(short(&["prod-web", "prod-db"]), ["web", "db"]);
        assert_eq!(short(&["a-b-web", "a-b-db", "a-c"]), ["b-web", "b-db", "c"]);
        assert_eq!(short(&["prod-web", "prod"]), ["prod-web", "prod"]);
        assert_eq!(short(&["prod-web"]), ["prod-web"]);
    }
}
