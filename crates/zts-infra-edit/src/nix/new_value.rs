//! The value of a new host.

use std::ops::Range;

use rnix::SyntaxNode;
use rnix::ast;

use super::flake_hosts::HostEntry;
use super::parse::{
    cast, parse_source, significant_tokens, sole_expression, string_ranges, untyped,
};
use crate::error::{Error, Language};

/// A parsed value of a new host.
pub(super) struct NewValue {
    pub(super) text: String,
    /// The path between the name and the value: empty, or such as `.modules`.
    pub(super) tail: String,
    tokens: Vec<String>,
    /// The strings, whose lines keep their indentation.
    pub(super) strings: Vec<Range<usize>>,
}

impl NewValue {
    pub(super) fn parse(host: &str, text: &str) -> Result<Self, Error> {
        let invalid = |message: String| Error::Invalid {
            value: format!("the flake entry of `{host}`"),
            language: Language::Nix,
            message,
        };
        let text = text.trim();
        let root = parse_source(text).map_err(|error| invalid(error.message_without_language()))?;
        let expression = sole_expression(&root, text)
            .ok_or_else(|| invalid("it begins or ends with a comment".to_owned()))?;
        Ok(Self {
            text: text.to_owned(),
            tail: String::new(),
            tokens: significant_tokens(&expression),
            strings: string_ranges(&expression),
        })
    }

    /// Returns whether a host has this value, in any layout.
    pub(super) fn is_value_of(&self, host: &HostEntry) -> bool {
        let is_equal = |node: &SyntaxNode| significant_tokens(node) == self.tokens;
        if let Some(value) = &host.value {
            return self.tail.is_empty() && is_equal(value);
        }
        let part = cast::<ast::AttrpathValue>(&host.entry).and_then(|part| part.value());
        let is_part = || part.is_some_and(|value| is_equal(&untyped(&value)));
        is_equal(&host.entry) || (!self.tail.is_empty() && is_part())
    }
}
