//! The files of data that OpenTofu decodes.

use hcl_edit::Span;
use hcl_edit::expr::{Expression, FuncCall};
use hcl_edit::visit::{Visit, visit_func_call};

use crate::error::Error;
use crate::hcl;

/// Lists the files that a file of OpenTofu reads by `jsondecode(file(…))` and
/// `yamldecode(file(…))`, by their paths from its folder. A computed path is left out.
///
/// # Errors
///
/// [`Error::Parse`]
pub fn list_decoded_files(source: &str) -> Result<Vec<String>, Error> {
    struct Paths<'a>(&'a str, Vec<String>);
    impl Visit for Paths<'_> {
        fn visit_func_call(&mut self, call: &FuncCall) {
            let path = decoded_file(call).and_then(Span::span);
            let path = path.and_then(|range| literal_path(&self.0[range]));
            self.1.extend(path);
            visit_func_call(self, call);
        }
    }
    let (_, text) = hcl::split_byte_order_mark(source);
    let mut paths = Paths(text, Vec::new());
    paths.visit_body(&hcl::parse_file(text)?);
    Ok(paths.1)
}

/// Returns the path in `jsondecode(file(path))` and `yamldecode(file(path))`.
fn decoded_file(call: &FuncCall) -> Option<&Expression> {
    let name = |call: &FuncCall| call.name.name.as_str().to_owned();
    let decodes = ["jsondecode", "yamldecode"].contains(&name(call).as_str());
    match call.args.get(0).filter(|_| decodes)? {
        Expression::FuncCall(inner) if name(inner) == "file" => inner.args.get(0),
        _ => None,
    }
}

/// Returns the text of a quoted path below the module's folder.
fn literal_path(quoted: &str) -> Option<String> {
    let path = quoted.trim().strip_prefix('"')?.strip_suffix('"')?;
    let folders = ["${path.module}/", "${path.root}/", "${path.cwd}/"];
    let below = folders.iter().find_map(|folder| path.strip_prefix(folder));
    let path = below.unwrap_or(path);
    (!path.contains(['$', '%', '\\', '"'])).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_decoded_files_are_listed() {
        let source = r#"
            locals {
              a = yamldecode(file("${path.module}/vms.yaml"))
              b = try(jsondecode(file("data/vms.json")).vms, {})
              c = yamldecode(file("${var.folder}/x.yaml"))
              d = file("notes.txt")
            }
        "#;
        let paths = list_decoded_files(source).unwrap();
        assert_eq!(paths, ["vms.yaml", "data/vms.json"]);
    }
}
