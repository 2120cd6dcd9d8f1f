//! The value of a flake's first host.

use rnix::ast::{self, HasEntry};

use super::expression::{inner_expression, literal_string};
use super::files::{SourceFile, file_expression};
use super::name::is_system;
use super::parse::{cast, untyped};
use super::scope::{entry_path, has_entry};

/// Returns the call of `nixosSystem` for a first host, whose entry is in the file `place`; `None`
/// if the flake has no input `nixpkgs`, or the file does not have it by a known name.
pub(super) fn plain_value(flake: &SourceFile, place: &SourceFile, module: &str) -> Option<String> {
    let names = parameters(place)?;
    let nixpkgs = if names.entries.iter().any(|name| name == "nixpkgs") {
        "nixpkgs".to_owned()
    } else if has_input(flake) || place.path != flake.path {
        format!("{}.nixpkgs", names.inputs.as_deref()?)
    } else {
        return None;
    };
    let arguments = match names.inputs.as_deref() {
        Some("inputs") => "  specialArgs = { inherit inputs; };\n",
        _ => "",
    };
    let system = only_system(flake);
    let module = relative_path(&place.path, module);
    Some(format!(
        "{nixpkgs}.lib.nixosSystem {{\n  system = \"{system}\";\n{arguments}  modules = [ {module} ];\n}}"
    ))
}

/// The names that a file's outermost functions bind.
struct Parameters {
    entries: Vec<String>,
    /// The name of all inputs together.
    inputs: Option<String>,
}

/// Returns the parameters of `outputs`, or of a module.
fn parameters(file: &SourceFile) -> Option<Parameters> {
    let expression = inner_expression(&file_expression(file)?);
    let function = match &expression {
        ast::Expr::AttrSet(flake) => flake.attrpath_values().find_map(|entry| {
            let path = entry_path(&entry);
            let is_outputs = path.len() == 1 && path[0].0.as_deref() == Some("outputs");
            entry.value().filter(|_| is_outputs)
        })?,
        _ => expression,
    };
    let ast::Expr::Lambda(function) = inner_expression(&function) else {
        return None;
    };
    let is_flake = cast::<ast::Root>(&file.root).is_some_and(|_| has_outputs(file));
    Some(match function.param()? {
        ast::Param::IdentParam(param) => Parameters {
            entries: Vec::new(),
            inputs: param.ident().map(|name| name.to_string()),
        },
        ast::Param::Pattern(pattern) => {
            let entries: Vec<String> = pattern
                .pat_entries()
                .filter_map(|entry| Some(entry.ident()?.to_string()))
                .collect();
            let bound = pattern.pat_bind().and_then(|bind| bind.ident());
            let own = entries.iter().find(|name| *name == "inputs").cloned();
            let inputs = bound
                .map(|name| name.to_string())
                .filter(|_| is_flake)
                .or(own);
            Parameters { entries, inputs }
        }
    })
}

fn has_outputs(file: &SourceFile) -> bool {
    let flake = file_expression(file).map(|flake| untyped(&inner_expression(&flake)));
    flake.is_some_and(|flake| has_entry(&flake, "outputs"))
}

/// Returns whether the flake has an input `nixpkgs`.
fn has_input(flake: &SourceFile) -> bool {
    let root = file_expression(flake).map(|flake| inner_expression(&flake));
    let Some(ast::Expr::AttrSet(set)) = root else {
        return false;
    };
    set.attrpath_values().any(|entry| {
        let path = entry_path(&entry);
        let name = |index: usize| path.get(index).and_then(|(name, _)| name.as_deref());
        name(0) == Some("inputs")
            && match (name(1), entry.value()) {
                (Some(name), _) => name == "nixpkgs",
                (None, Some(inputs)) => has_entry(&untyped(&inputs), "nixpkgs"),
                (None, None) => false,
            }
    })
}

/// Returns the only Linux system that the flake names, or else `x86_64-linux`.
fn only_system(flake: &SourceFile) -> String {
    let strings = flake
        .root
        .descendants()
        .filter_map(|node| cast::<ast::Str>(&node));
    let mut systems: Vec<String> = strings
        .filter_map(|string| literal_string(&string))
        .filter(|text| is_system(text) && text.ends_with("-linux"))
        .collect();
    systems.sort();
    systems.dedup();
    match systems.as_slice() {
        [only] => only.clone(),
        _ => "x86_64-linux".to_owned(),
    }
}

/// Returns the path `target`, from the fleet's root, as a path in the file `file`.
pub(super) fn relative_path(file: &str, target: &str) -> String {
    let mut folder: Vec<&str> = file.split('/').collect();
    folder.pop();
    let target: Vec<&str> = target.split('/').collect();
    let pairs = folder.iter().zip(&target);
    let common = pairs.take_while(|(left, right)| left == right).count();
    let up = "../".repeat(folder.len() - common);
    let rest = target[common..].join("/");
    if up.is_empty() {
        format!("./{rest}")
    } else {
        format!("{up}{rest}")
    }
}
