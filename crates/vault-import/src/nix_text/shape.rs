//! The sets that an expression of a module is made of.

use rnix::SyntaxNode;
use rnix::ast::{self, BinOpKind};

use super::syntax::{call_parts, cast, untyped};

/// The functions of modules with one argument that is the value.
const WRAPPERS: [&str; 4] = ["mkDefault", "mkForce", "mkBefore", "mkAfter"];

/// The form of an expression.
pub(super) enum Shape {
    Set(ast::AttrSet),
    /// Expressions that the module system merges, or one that is inside of the expression.
    Parts(Vec<Part>),
    /// An expression that cannot be read.
    Other,
}

/// A part of an expression.
pub(super) struct Part {
    pub(super) value: ast::Expr,
    pub(super) condition: Option<Condition>,
    /// True if variables of the part may be defined in the expression.
    pub(super) is_local: bool,
}

/// A condition of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// The call up to the value, such as `lib.mkIf config.services.app.enable`.
    Call(String),
    /// A branch of an `if`.
    Branch,
}

impl Shape {
    /// Returns the form of an expression.
    pub(super) fn of(expression: &ast::Expr) -> Self {
        let inside = |value: Option<ast::Expr>, is_local| match value {
            Some(value) => Self::Parts(vec![Part {
                value,
                condition: None,
                is_local,
            }]),
            None => Self::Other,
        };
        match expression {
            ast::Expr::AttrSet(set) => Self::Set(set.clone()),
            ast::Expr::Paren(paren) => inside(paren.expr(), false),
            ast::Expr::LetIn(let_in) => inside(let_in.body(), true),
            ast::Expr::With(with) => inside(with.body(), true),
            ast::Expr::Assert(assert) => inside(assert.body(), false),
            ast::Expr::Apply(call) => Self::of_call(call),
            ast::Expr::BinOp(operation) if operation.operator() == Some(BinOpKind::Update) => {
                Self::all(operation.lhs().into_iter().chain(operation.rhs()), None)
            }
            ast::Expr::IfElse(branches) => Self::all(
                branches.body().into_iter().chain(branches.else_body()),
                Some(&Condition::Branch),
            ),
            _ => Self::Other,
        }
    }

    fn of_call(call: &ast::Apply) -> Self {
        let (function, arguments) = call_parts(call);
        let written = untyped(&function).to_string();
        let name = written.rsplit('.').next().unwrap_or_default();
        match (name, arguments.as_slice()) {
            ("mkIf" | "optionalAttrs", [condition, value]) => {
                // a secret without attributes is declared, too
                let prefix = &written[..written.len() - name.len()];
                let is_bare = prefix.is_empty() && name != "mkIf"; // `mkIf` may be unknown
                let function = format!("{}mkIf", if is_bare { "lib." } else { prefix });
                let call = format!("{function} {}", untyped(condition));
                Self::all([value.clone()], Some(&Condition::Call(call)))
            }
            ("mkMerge", [ast::Expr::List(list)]) => Self::all(list.items(), None),
            ("mkOverride" | "mkOrder", [_, value]) => Self::all([value.clone()], None),
            (name, [value]) if WRAPPERS.contains(&name) => Self::all([value.clone()], None),
            _ => Self::Other,
        }
    }

    fn all(values: impl IntoIterator<Item = ast::Expr>, condition: Option<&Condition>) -> Self {
        let parts = values.into_iter().map(|value| Part {
            value,
            condition: condition.cloned(),
            is_local: false,
        });
        Self::Parts(parts.collect())
    }
}

/// Returns the conditions around a node, the outermost last.
pub(super) fn conditions_around(node: &SyntaxNode) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let mut inner = node.clone();
    for around in node.ancestors().skip(1) {
        if let Some(expression) = cast::<ast::Expr>(&around)
            && let Shape::Parts(parts) = Shape::of(&expression)
        {
            let part = parts.into_iter().find(|part| {
                let value = untyped(&part.value);
                inner
                    .ancestors()
                    .take_while(|one| *one != around)
                    .any(|one| one == value)
            });
            conditions.extend(part.and_then(|part| part.condition));
        }
        inner = around;
    }
    conditions
}
