//! The sections of `fleet.toml` with chosen names, and the check of a name that chooses one.

use zts_cli::Failure;

use crate::fleet::{SETTINGS_FILE, format_header};

/// The sections of one kind in `fleet.toml`, of which one is chosen.
pub(super) struct Sections {
    /// The key around them.
    pub(super) kind: &'static str,
    pub(super) noun: &'static str,
    pub(super) flag: &'static str,
    /// The key of the one that is chosen by default.
    pub(super) default_key: &'static str,
    pub(super) names: Vec<String>,
}

impl Sections {
    /// Refuses names that are none of them.
    pub(super) fn check_names(
        &self,
        given: Option<&str>,
        default: Option<&str>,
    ) -> Result<(), Failure> {
        let is_unknown = |wanted: &&str| self.names.iter().all(|name| name != wanted);
        let (wanted, origin, way) = if let Some(wanted) = given.filter(is_unknown) {
            (
                wanted,
                self.flag,
                format!("choose one: {}", self.list_flags()),
            )
        } else if let Some(wanted) = default.filter(is_unknown) {
            let way = format!("set it to one of these: {}", self.list(""));
            (wanted, self.default_key, way)
        } else {
            return Ok(());
        };
        let failure = Failure::usage(format_args!(
            "`{origin}` is `{wanted}`, and `{SETTINGS_FILE}` has no such {}",
            self.noun
        ));
        Err(failure.hint(if self.names.is_empty() {
            let header = format_header(self.kind, wanted);
            format!("describe it there, in a section `{header}`")
        } else {
            way
        }))
    }

    /// Returns the flags that choose each.
    pub(super) fn list_flags(&self) -> String {
        self.list(&format!("{} ", self.flag))
    }

    fn list(&self, before: &str) -> String {
        let names = self.names.iter();
        let names: Vec<String> = names.map(|name| format!("`{before}{name}`")).collect();
        names.join(", ")
    }
}
