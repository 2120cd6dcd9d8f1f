//! Which secrets are looked after together.

use std::collections::BTreeSet;

use delivery::Declarations;

/// Secrets that are rotated at the same times.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Group<'a> {
    /// What tells it from others.
    pub(crate) key: String,
    /// The secrets' names.
    pub(crate) names: BTreeSet<&'a str>,
}

impl<'a> Group<'a> {
    /// The group of `name`: by itself, where it is not rotated on a timer.
    pub(crate) fn of(name: &'a str, declarations: &'a Declarations) -> Self {
        let rotation = |name: &str| declarations.secrets.get(name)?.rotation.as_deref();
        let Some(calendar) = rotation(name) else {
            return Self {
                key: format!("secret {name}"),
                names: [name].into(),
            };
        };
        let names = declarations.secrets.keys().map(String::as_str);
        Self {
            key: format!("calendar {calendar}"),
            names: names
                .filter(|name| rotation(name) == Some(calendar))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declarations() -> Declarations {
        let secret = |rotation: &str| {
            format!(
                r#"{{ "secret_path": "x", "output_directory": "/x", "cache_directory": null, "seal_cache": "never",
                "max_cache_age": null, "owner": "0", "group": "0", "mode": "0400", "required_keys": [],
                "templates": {{}}, "environment_file": null, "services": [], "on_change": "restart",
                "rotation": {rotation} }}"#
            )
        };
        let (hourly, daily, none) = (secret(r#""hourly""#), secret(r#""daily""#), secret("null"));
        serde_json::from_str(&format!(
            r#"{{ "hostname": "h", "openbao": {{ "addresses": [], "namespace": null, "kv_mount": "secret",
            "approle_mount": "approle", "ca_certificate": null, "skip_verify": false, "approle_directory": "/a" }},
            "secrets": {{ "a": {hourly}, "b": {daily}, "c": {hourly}, "d": {none}, "e": {none} }} }}"#
        ))
        .unwrap()
    }

    #[test]
    fn secrets_with_the_same_calendar_are_one_group() {
        let declarations = declarations();
        let names = |name| Group::of(name, &declarations).names;
        assert_eq!(names("c"), ["a", "c"].into());
        assert_eq!(names("b"), ["b"].into());
        assert_eq!(Group::of("a", &declarations), Group::of("c", &declarations));
    }

    #[test]
    fn those_that_are_not_rotated_are_no_group() {
        let declarations = declarations();
        assert_eq!(Group::of("d", &declarations).names, ["d"].into());
        assert_ne!(
            Group::of("d", &declarations).key,
            Group::of("e", &declarations).key
        );
    }
}
