//! Calls of functions.

use rnix::ast;

use super::parse::node;

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
