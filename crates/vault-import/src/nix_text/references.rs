//! The uses of options of the tools in expressions.

use rnix::ast;

use super::model::Move;
use super::syntax::{names_of, node_range, untyped};
use crate::tool::Tool;

/// The names of the host's configuration; the latter ones are those of home-manager's modules.
const CONFIGURATIONS: [&str; 3] = ["config", "osConfig", "nixosConfig"];

/// The use of an option of a tool, such as `config.sops.secrets.app.path`.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) tool: Tool,
    /// The expression before the option: `config`.
    pub(super) prefix: String,
    /// True if the expression is a configuration by its name.
    pub(super) is_of_config: bool,
    /// The names behind the option; `None` is a computed one.
    pub(super) names: Vec<Option<String>>,
}

/// The secrets and templates that move.
pub(super) struct Moving<'a> {
    pub(super) moves: Vec<&'a Move>,
    pub(super) templates: &'a [String],
}

impl Moving<'_> {
    fn has(&self, tool: Tool) -> bool {
        self.moves.iter().any(|one| one.tool == tool)
            || tool == Tool::SopsNix && !self.templates.is_empty()
    }

    /// Returns the move of a secret.
    pub(super) fn find(&self, tool: Tool, name: &str) -> Option<&Move> {
        let mut moves = self.moves.iter();
        moves
            .find(|one| one.tool == tool && one.old == name)
            .copied()
    }

    fn has_template(&self, tool: Tool, name: &str) -> bool {
        tool == Tool::SopsNix && self.templates.iter().any(|template| template == name)
    }
}

/// Reads the use of an option of a tool.
pub(super) fn read_reference(select: &ast::Select) -> Option<Reference> {
    let base = match select.expr()? {
        ast::Expr::Ident(variable) => Some(variable.to_string()),
        _ => None,
    };
    let attributes: Vec<ast::Attr> = select.attrpath()?.attrs().collect();
    let chain = [vec![base], names_of(&attributes)].concat();
    let reference = |at: usize| {
        let name = chain[at].as_deref()?;
        let tool = Tool::ALL.into_iter().find(|tool| tool.option() == name)?;
        let before = at
            .checked_sub(1)
            .and_then(|before| chain[before].as_deref());
        let reference = Reference {
            tool,
            prefix: text_before(select, at.checked_sub(1).and_then(|at| attributes.get(at))),
            is_of_config: before.is_some_and(|name| CONFIGURATIONS.contains(&name)),
            names: chain[at + 1..].to_vec(),
        };
        Some(reference).filter(is_known)
    };
    (0..chain.len()).find_map(reference)
}

/// Returns the expression before an attribute.
fn text_before(select: &ast::Select, attribute: Option<&ast::Attr>) -> String {
    let node = untyped(select);
    let start = node_range(&node).start;
    let end = attribute.map_or(start, |attribute| node_range(&untyped(attribute)).start);
    let text = &node.to_string()[..end - start];
    text.trim_end().trim_end_matches('.').to_owned()
}

/// Returns whether the names can be those of the tool's options.
fn is_known(reference: &Reference) -> bool {
    match reference.names.first() {
        Some(Some(name)) => ["secrets", "templates", "placeholder"].contains(&name.as_str()),
        Some(None) => false,
        None => reference.is_of_config,
    }
}

/// Describes a use of secrets or templates that move, or that may move.
pub(super) fn describe_use(
    tool: Tool,
    names: &[Option<String>],
    moving: &Moving<'_>,
) -> Option<String> {
    if !moving.has(tool) {
        return None;
    }
    let names: Vec<Option<&str>> = names.iter().map(Option::as_deref).collect();
    let option = tool.option();
    match names.as_slice() {
        [] => Some(format!("`{option}` is used as a whole")),
        [Some("templates"), ..] if moving.templates.is_empty() => None,
        [Some(set @ ("secrets" | "placeholder" | "templates"))] => {
            Some(format!("`{option}.{set}` is used as a whole"))
        }
        [Some(set), None, ..] => Some(format!("the name in `{option}.{set}` is computed")),
        [Some("secrets"), Some(name), attribute @ ..] => {
            moving.find(tool, name)?;
            Some(match attribute {
                [Some("path")] => format!("the path of `{name}`"),
                _ => format!("an attribute of `{name}` other than its path"),
            })
        }
        [Some("placeholder"), Some(name), ..] => {
            moving.find(tool, name)?;
            Some(format!(
                "a placeholder of `{name}`, outside of a template that moves"
            ))
        }
        [Some("templates"), Some(name), attribute @ ..] => {
            let moves = moving.has_template(tool, name);
            moves.then(|| match attribute {
                [Some("path")] => format!("the path of the template `{name}`"),
                _ => format!("an attribute of the template `{name}` other than its path"),
            })
        }
        _ => None,
    }
}
