//! Policies in JSON, which OpenBao reads as HCL: a block is an object, or several in an array.

use serde_json::{Map, Value};

use super::Stanza;

pub(super) fn stanzas(text: &str) -> Result<Vec<Stanza>, String> {
    let mut policy: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Some(paths) = policy.remove("path") else {
        return Ok(Vec::new());
    };
    let mut stanzas = Vec::new();
    for paths in objects("path", paths)? {
        for (path, attributes) in paths {
            let rules = objects(&path, attributes)?;
            stanzas.extend(rules.into_iter().map(|rule| (path.clone(), rule)));
        }
    }
    Ok(stanzas)
}

fn objects(name: &str, value: Value) -> Result<Vec<Map<String, Value>>, String> {
    match value {
        Value::Object(object) => Ok(vec![object]),
        Value::Array(items) => {
            let nested = items.into_iter().map(|item| objects(name, item));
            Ok(nested.collect::<Result<Vec<_>, _>>()?.concat())
        }
        _ => Err(format!("`{name}` is no object")),
    }
}
