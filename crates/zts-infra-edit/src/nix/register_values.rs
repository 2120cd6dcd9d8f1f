//! The values in registers that each host has its own of: given by the user, or asked for.

use rnix::SyntaxNode;
use rnix::ast;

use super::abstraction::render_node;
use super::asked_values::quote;
use super::flake_hosts::HostEntry;
use super::individual::is_image;
use super::new_host::NewHost;
use super::new_value::NewValue;
use super::origin::Origin;
use super::parse::{cast, node_range};
use super::register::Register;
use super::scalars::scalar_text;
use crate::error::{Error, FileError, MissingValue};
use crate::text::line_indent;

/// The values that registers lack for a host.
#[derive(Default)]
pub(super) struct MissingValues {
    /// The first file that lacks one.
    file: String,
    values: Vec<MissingValue>,
}

impl MissingValues {
    /// Notes the values that an error asks for, and returns a value in their place, so that the
    /// other registers are read, too. Returns any other error.
    pub(super) fn note(
        &mut self,
        register: &Register,
        host: &str,
        error: FileError,
    ) -> Result<NewValue, FileError> {
        let Error::Values { values, .. } = &error.error else {
            return Err(error);
        };
        let stand_in = model_of(register).and_then(|model| {
            let node = model.value.as_ref()?;
            let indent = line_indent(&register.file.text, node_range(&model.entry).start);
            let text = render_node(node, &[], (&model.name, host), indent);
            NewValue::parse(host, &text).ok()
        });
        let Some(stand_in) = stand_in else {
            return Err(error);
        };
        for value in values {
            if !self.values.iter().any(|known| known.name == value.name) {
                self.values.push(value.clone());
            }
        }
        if self.file.is_empty() {
            self.file = error.file;
        }
        Ok(stand_in)
    }

    /// Returns the error with all values; nothing if none is missing.
    pub(super) fn into_result(self, host: &str) -> Result<(), FileError> {
        if self.values.is_empty() {
            return Ok(());
        }
        let error = Error::Values {
            host: host.to_owned(),
            values: self.values,
        };
        Err(FileError {
            file: self.file,
            error,
        })
    }
}

/// Returns the value that the user gave for a register of texts or numbers, or the error that asks
/// for it; `None` for a register of other values.
pub(super) fn given_value(
    register: &Register,
    host: &NewHost<'_>,
) -> Option<Result<(NewValue, Origin), Error>> {
    let hosts = register.found.hosts.iter();
    let hosts = hosts.filter(|one| !is_image(&one.name) && one.name != host.name);
    let nodes: Option<Vec<&SyntaxNode>> = hosts.map(|one| one.value.as_ref()).collect();
    let nodes = nodes?;
    let others: Option<Vec<String>> = nodes.iter().map(|node| scalar_text(node)).collect();
    let others = others.filter(|others| !others.is_empty())?;
    let name = register.name();
    let Some(given) = host.values.get(name) else {
        let host = host.name.to_owned();
        let value = MissingValue {
            name: name.to_owned(),
            example: "VALUE".to_owned(),
            others,
        };
        let values = vec![value];
        return Some(Err(Error::Values { host, values }));
    };
    let is_string = nodes.iter().any(|node| cast::<ast::Str>(node).is_some());
    let text = if is_string {
        quote(given)
    } else {
        given.clone()
    };
    Some(NewValue::parse(host.name, &text).map(|value| (value, Origin::Given)))
}

/// Returns the last host of a register that is no image.
pub(super) fn model_of(register: &Register) -> Option<&HostEntry> {
    let mut hosts = register.found.hosts.iter().rev();
    hosts.find(|one| !is_image(&one.name))
}
