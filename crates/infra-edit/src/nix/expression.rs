//! Questions about single expressions.

use rnix::ast::{self, BinOpKind};
use rnix::{SyntaxKind, SyntaxNode, SyntaxToken};

use super::parse::node;

/// The expression inside parentheses, `let … in`, `with …;` and `assert …;`.
pub(super) fn peel(expression: &ast::Expr) -> ast::Expr {
    let mut inner = expression.clone();
    while let Some(next) = match &inner {
        ast::Expr::Paren(paren) => paren.expr(),
        ast::Expr::LetIn(let_in) => let_in.body(),
        ast::Expr::With(with) => with.body(),
        ast::Expr::Assert(assert) => assert.body(),
        _ => None,
    } {
        inner = next;
    }
    inner
}

/// The body of a function of any number of arguments, peeled.
pub(super) fn function_body(expression: &ast::Expr) -> ast::Expr {
    let mut inner = peel(expression);
    while let ast::Expr::Lambda(lambda) = &inner {
        let Some(body) = lambda.body() else { break };
        inner = peel(&body);
    }
    inner
}

pub(super) fn update(expression: &ast::Expr) -> Option<(ast::Expr, ast::Expr)> {
    match expression {
        ast::Expr::BinOp(operation) if operation.operator() == Some(BinOpKind::Update) => {
            Some((operation.lhs()?, operation.rhs()?))
        }
        _ => None,
    }
}

/// Whether a token of `node` other than a comment is just `name`.
pub(super) fn mentions(node: &SyntaxNode, name: &str) -> bool {
    has_token(node, name, |token| {
        token.kind() != SyntaxKind::TOKEN_COMMENT
    })
}

/// Whether a token of `node` is just `name`, and of the kind that is asked for.
pub(super) fn has_token(node: &SyntaxNode, name: &str, kind: fn(&SyntaxToken) -> bool) -> bool {
    node.descendants_with_tokens()
        .filter_map(rnix::NodeOrToken::into_token)
        .any(|token| token.text() == name && kind(&token))
}

/// The text of the function that is called in the end: `lib.genAttrs` in `lib.genAttrs names make`.
pub(super) fn function_text(call: &ast::Apply) -> String {
    let text = node(&function(call)).to_string();
    let first_line = text.lines().next().unwrap_or_default();
    if first_line.len() < text.len() {
        format!("{first_line} …")
    } else {
        text
    }
}

/// The variable that an expression begins with, where it is a call or one of a variable's attributes: `lib` in
/// `lib.nixosSystem { … }`.
pub(super) fn first_variable(expression: &ast::Expr) -> Option<String> {
    match expression {
        ast::Expr::Paren(paren) => first_variable(&paren.expr()?),
        ast::Expr::Apply(call) => first_variable(&function(call)),
        ast::Expr::Select(select) => first_variable(&select.expr()?),
        ast::Expr::Ident(variable) => Some(variable.to_string()),
        _ => None,
    }
}

fn function(call: &ast::Apply) -> ast::Expr {
    let mut function = ast::Expr::Apply(call.clone());
    while let ast::Expr::Apply(call) = &function {
        let Some(next) = call.lambda() else { break };
        function = next;
    }
    function
}

/// The module given to `flake-parts.lib.mkFlake { … } module`.
pub(super) fn flake_parts_module(call: &ast::Apply) -> Option<ast::Expr> {
    let text = function_text(call);
    let is_make_flake = text == "mkFlake" || text.ends_with(".mkFlake");
    let has_two_arguments = matches!(call.lambda(), Some(ast::Expr::Apply(_)));
    if is_make_flake && has_two_arguments {
        call.argument()
    } else {
        None
    }
}
