//! Whether two expressions mean the same, whatever their layout.

use hcl_edit::expr::{
    Array, Expression, FuncArgs, Object, ObjectValueAssignment, ObjectValueTerminator,
};
use hcl_edit::visit_mut::{VisitMut, visit_array_mut, visit_func_args_mut, visit_object_mut};

/// Whether both are the same but for blanks, comments, and commas or line breaks between items.
pub(crate) fn same(left: &Expression, right: &Expression) -> bool {
    let [left, right] = [left, right].map(|expression| {
        let mut expression = expression.clone();
        Plain.visit_expr_mut(&mut expression);
        expression
    });
    left == right
}

/// Takes out what the library compares although it is only layout.
struct Plain;

impl VisitMut for Plain {
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
        same(&parse(left), &parse(right))
    }

    #[test]
    fn layout_does_not_count() {
        assert!(compare(
            "{ a = 1, b = [1, 2] }",
            "{\n  a : 1 # one\n  b = [1, 2,\n ]\n}"
        ));
        assert!(compare("f(1, 2)", "f( 1, /* x */ 2 , )"));
    }

    #[test]
    fn values_count() {
        assert!(!compare("{ a = 1 }", "{ a = 2 }"));
        assert!(!compare("{ a = 1 }", "{ a = 1, b = 2 }"));
        assert!(!compare("\"a b\"", "\"a  b\""));
        assert!(!compare("[1, 2]", "[2, 1]"));
    }
}
