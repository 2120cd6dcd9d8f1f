//! Queries about single expressions.

use rnix::ast::{self, BinOpKind, InterpolPart};
use rnix::{SyntaxKind, SyntaxNode, SyntaxToken};

use super::parse::untyped;

/// Returns the expression inside parentheses, `let … in`, `with …;` and `assert …;`.
pub(super) fn inner_expression(expression: &ast::Expr) -> ast::Expr {
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

/// Returns the inner expression of a function of any number of arguments.
pub(super) fn function_body(expression: &ast::Expr) -> ast::Expr {
    let mut inner = inner_expression(expression);
    while let ast::Expr::Lambda(lambda) = &inner {
        let Some(body) = lambda.body() else { break };
        inner = inner_expression(&body);
    }
    inner
}

/// Returns the operands of `//`.
pub(super) fn update_operands(expression: &ast::Expr) -> Option<(ast::Expr, ast::Expr)> {
    match expression {
        ast::Expr::BinOp(operation) if operation.operator() == Some(BinOpKind::Update) => {
            Some((operation.lhs()?, operation.rhs()?))
        }
        _ => None,
    }
}

/// Returns the value and the function of `value |> function` or `function <| value`.
pub(super) fn pipe_operands(expression: &ast::Expr) -> Option<(ast::Expr, ast::Expr)> {
    let ast::Expr::BinOp(operation) = expression else {
        return None;
    };
    match operation.operator()? {
        BinOpKind::PipeRight => Some((operation.lhs()?, operation.rhs()?)),
        BinOpKind::PipeLeft => Some((operation.rhs()?, operation.lhs()?)),
        _ => None,
    }
}

/// Returns the operands of `++`.
pub(super) fn concatenated_lists(expression: &ast::Expr) -> Option<(ast::Expr, ast::Expr)> {
    match expression {
        ast::Expr::BinOp(operation) if operation.operator() == Some(BinOpKind::Concat) => {
            Some((operation.lhs()?, operation.rhs()?))
        }
        _ => None,
    }
}

/// Returns whether a token of `node`, other than a comment, equals `name`.
pub(super) fn mentions_name(node: &SyntaxNode, name: &str) -> bool {
    has_token(node, name, |token| {
        token.kind() != SyntaxKind::TOKEN_COMMENT
    })
}

/// Returns whether a token of `node` equals `name` and fulfils `kind`.
pub(super) fn has_token(node: &SyntaxNode, name: &str, kind: fn(&SyntaxToken) -> bool) -> bool {
    node.descendants_with_tokens()
        .filter_map(rnix::NodeOrToken::into_token)
        .any(|token| token.text() == name && kind(&token))
}

/// Returns the text of the function in a call: `lib.genAttrs` in `lib.genAttrs names make`.
pub(super) fn function_text(call: &ast::Apply) -> String {
    let text = untyped(&called_function(call)).to_string();
    let first_line = text.lines().next().unwrap_or_default();
    if first_line.len() < text.len() {
        format!("{first_line} …")
    } else {
        text
    }
}

/// Returns the first variable of an expression that is a call or an attribute of a variable: `lib`
/// in `lib.nixosSystem { … }`.
pub(super) fn first_variable(expression: &ast::Expr) -> Option<String> {
    match expression {
        ast::Expr::Paren(paren) => first_variable(&paren.expr()?),
        ast::Expr::Apply(call) => first_variable(&called_function(call)),
        ast::Expr::Select(select) => first_variable(&select.expr()?),
        ast::Expr::Ident(variable) => Some(variable.to_string()),
        _ => None,
    }
}

/// Returns the function and the arguments of a call.
pub(super) fn call_parts(call: &ast::Apply) -> (ast::Expr, Vec<ast::Expr>) {
    let mut function = ast::Expr::Apply(call.clone());
    let mut arguments = Vec::new();
    while let ast::Expr::Apply(call) = &function {
        let Some(next) = call.lambda() else { break };
        arguments.extend(call.argument());
        // `(import ./hosts.nix) inputs`
        function = match next {
            ast::Expr::Paren(paren) => match paren.expr() {
                Some(inner @ ast::Expr::Apply(_)) => inner,
                _ => ast::Expr::Paren(paren),
            },
            next => next,
        };
    }
    arguments.reverse();
    (function, arguments)
}

/// Returns the function in a call of any number of arguments.
fn called_function(call: &ast::Apply) -> ast::Expr {
    call_parts(call).0
}

/// Returns the text of a string without interpolations.
pub fn literal_string(string: &ast::Str) -> Option<String> {
    let mut text = String::new();
    for part in string.normalized_parts() {
        match part {
            InterpolPart::Literal(literal) => text.push_str(&literal),
            InterpolPart::Interpolation(_) => return None,
        }
    }
    Some(text)
}
