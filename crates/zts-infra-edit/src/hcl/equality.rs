//! Equality of expressions regardless of their layout.

use hcl_edit::expr::{
    Array, Expression, FuncArgs, Object, ObjectValueAssignment, ObjectValueTerminator,
};
use hcl_edit::visit_mut::{VisitMut, visit_array_mut, visit_func_args_mut, visit_object_mut};

/// Returns whether two expressions differ at most in blanks, comments, and commas or line breaks
/// between items.
pub(crate) fn are_equal(left: &Expression, right: &Expression) -> bool {
    let [left, right] = [left, right].map(|expression| {
        let mut expression = expression.clone();
        LayoutEraser.visit_expr_mut(&mut expression);
        expression
    });
    left == right
}

/// Erases the layout that the library's comparison includes.
struct LayoutEraser;

impl VisitMut for LayoutEraser {
    fn visit_object_mut(&mut self, object: &mut Object) {
        object.set_trailing("");
        for (_, value) in object.iter_mut() {
            value.set_terminator(ObjectValueTerminator::Newline);
            value.set_assignment(ObjectValueAssignment::Equals);
        }
        visit_object_mut(self, object);
    }

    fn visit_array_mut(&mut self, array: &mut Array) {
        array.set_trailing("");
        array.set_trailing_comma(false);
        visit_array_mut(self, array);
    }

    fn visit_func_args_mut(&mut self, arguments: &mut FuncArgs) {
        arguments.set_trailing("");
        arguments.set_trailing_comma(false);
        visit_func_args_mut(self, arguments);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(left: &str, right: &str) -> bool {
        let parse = |text| hcl_edit::parser::parse_expr(text).unwrap();
        are_equal(&parse(left), &parse(right))
    }

    #[test]
    fn layout_is_ignored() {
        assert!(compare(
            "{ a = 1, b = [1, 2] }",
            "{\n  a : 1 # one\n  b = [1, 2,\n ]\n}"
        ));
        assert!(compare("f(1, 2)", "f( 1, /* x */ 2 , )"));
    }

    #[test]
    fn values_are_compared() {
        assert!(!compare("{ a = 1 }", "{ a = 2 }"));
        assert!(!compare("{ a = 1 }", "{ a = 1, b = 2 }"));
        assert!(!compare("\"a b\"", "\"a  b\""));
        assert!(!compare("[1, 2]", "[2, 1]"));
    }
}
