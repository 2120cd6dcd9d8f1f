//! One `path` of a policy.

use serde_json::{Map, Value};

use super::Pattern;

/// A rule that OpenBao has for some paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// As it is written.
    pub(crate) path: String,
    pub(crate) pattern: Pattern,
    pub(crate) rights: Rights,
}

/// What a rule allows, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a capability of its own"
)]
pub(crate) struct Rights {
    pub(crate) deny: bool,
    pub(crate) read: bool,
    pub(crate) list: bool,
    /// Whether it allows anything at all.
    pub(crate) any: bool,
    /// An attribute that makes a right depend on more than the path.
    pub(crate) condition: Option<&'static str>,
}

/// Attributes that OpenBao looks at when somebody reads or lists.
const CONDITIONS: [&str; 5] = [
    "expiration",
    "control_group",
    "required_parameters",
    "min_wrapping_ttl",
    "max_wrapping_ttl",
];

impl Rule {
    pub(super) fn new(path: String, attributes: &Map<String, Value>) -> Result<Self, String> {
        let mut rights = Rights::default();
        for word in words(attributes.get("capabilities"))? {
            rights.add(&path, word)?;
        }
        if let Some(word) = attributes.get("policy").and_then(Value::as_str) {
            rights.add_old(&path, word)?;
        }
        if rights.deny {
            rights = Rights::denied();
        }
        let present = |name: &&str| attributes.get(*name).is_some_and(says_something);
        rights.condition = CONDITIONS.into_iter().find(present);
        Ok(Self {
            pattern: Pattern::parse(&path),
            path,
            rights,
        })
    }
}

impl Rights {
    fn denied() -> Self {
        Self {
            deny: true,
            ..Self::default()
        }
    }

    fn add(&mut self, path: &str, capability: &str) -> Result<(), String> {
        match capability {
            "deny" => self.deny = true,
            "read" => self.read = true,
            "list" => self.list = true,
            "create" | "update" | "delete" | "sudo" | "patch" | "scan" => {}
            _ => return Err(format!("path `{path}`: `{capability}` is no capability")),
        }
        self.any = true;
        Ok(())
    }

    /// What capabilities were called before there were any.
    fn add_old(&mut self, path: &str, policy: &str) -> Result<(), String> {
        match policy {
            "" => return Ok(()),
            "deny" => self.deny = true,
            "read" | "write" | "sudo" => (self.read, self.list) = (true, true),
            _ => return Err(format!("path `{path}`: `{policy}` is no policy")),
        }
        self.any = true;
        Ok(())
    }

    /// Two rules of the same path are one; `deny` beats everything.
    pub(super) fn merge(&mut self, other: &Self) {
        if self.deny || other.deny {
            let condition = if self.deny {
                self.condition
            } else {
                other.condition
            };
            *self = Self {
                condition,
                ..Self::denied()
            };
            return;
        }
        self.read |= other.read;
        self.list |= other.list;
        self.any |= other.any;
        self.condition = self.condition.or(other.condition);
    }
}

fn words(value: Option<&Value>) -> Result<Vec<&str>, String> {
    let items = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err("`capabilities` is no list".to_owned()),
    };
    let word = |item| Value::as_str(item).ok_or_else(|| "a capability is no text".to_owned());
    items.iter().map(word).collect()
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::String(text) => !text.is_empty() && text != "0",
        Value::Number(number) => number.as_f64() != Some(0.0),
        _ => true,
    }
}
