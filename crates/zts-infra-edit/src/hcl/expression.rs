//! Queries about single expressions.

use std::collections::BTreeSet;

use hcl_edit::expr::{Expression, ObjectKey};

/// Returns the name of a key; `None` if it is computed.
pub(crate) fn key_name(key: &ObjectKey) -> Option<String> {
    match key {
        ObjectKey::Ident(identifier) => Some(identifier.value().to_string()),
        ObjectKey::Expression(Expression::String(text)) => Some(text.value().clone()),
        ObjectKey::Expression(Expression::Number(number)) => Some(number.value().to_string()),
        ObjectKey::Expression(_) => None,
    }
}

/// Returns the expression inside parentheses.
pub(crate) fn strip_parentheses(expression: &Expression) -> &Expression {
    let mut inner = expression;
    while let Expression::Parenthesis(parenthesis) = inner {
        inner = parenthesis.inner();
    }
    inner
}

/// Returns the strings of a list; `None` for another expression.
pub(crate) fn literal_strings(value: &Expression) -> Option<BTreeSet<String>> {
    let Expression::Array(array) = value else {
        return None;
    };
    array
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect()
}
