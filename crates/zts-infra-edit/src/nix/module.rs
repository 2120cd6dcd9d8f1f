//! The modules of flake-parts: their outputs, their options with hosts, and their imports.

use rnix::SyntaxNode;
use rnix::ast;

use super::call::{HostsArgument, function_name, hosts_argument, list_argument};
use super::context::{Context, in_file, in_source};
use super::discovery::has_hosts;
use super::expression::{
    call_parts, concatenated_lists, function_body, function_text, inner_expression, mentions_name,
};
use super::files::{is_nix_file, join_path};
use super::flake_hosts::FlakeHosts;
use super::host_files::host_of_file;
use super::parse::{cast, untyped};
use super::scope::{entry_path, list_entries};
use super::search::{search_entries, search_list};

/// The options of known modules whose names are those of the hosts in `nixosConfigurations`.
const OPTIONS: [&[&str]; 6] = [
    &["lite-config", "hosts"],
    &["easy-hosts", "hosts"],
    &["easyHosts", "hosts"],
    &["configurations", "nixos"],
    &["den", "hosts", "x86_64-linux"],
    &["den", "hosts", "aarch64-linux"],
];

/// A module in `imports`.
pub(super) enum ImportedModule {
    /// A file, or a folder with `default.nix`.
    File(ast::Expr),
    /// All files below a folder, or a list of folders, as `import-tree` reads them.
    Tree(ast::Expr),
    /// A module written in place.
    Inline(ast::Expr),
    /// The modules that a function makes of the elements of a list, such as one for each host.
    Made(ast::Expr),
    /// A module of another flake.
    Foreign,
    /// Any other expression.
    Unknown,
}

impl ImportedModule {
    /// Returns whether the hosts of the module can be read.
    pub(super) fn is_known(&self, context: Context<'_>) -> bool {
        match self {
            Self::File(path) => context
                .sources
                .open_import(path)
                .is_some_and(|file| file.is_ok()),
            Self::Tree(path) => !tree_folders(path, context).is_empty(),
            Self::Inline(_) | Self::Made(_) | Self::Foreign => true,
            Self::Unknown => false,
        }
    }

    fn of(expression: &ast::Expr) -> Self {
        let inner = inner_expression(expression);
        match &inner {
            ast::Expr::PathRel(_) => Self::File(inner),
            ast::Expr::Select(_) => Self::Foreign,
            ast::Expr::AttrSet(_) | ast::Expr::Lambda(_) => Self::Inline(inner),
            ast::Expr::Apply(call) => match (hosts_argument(call, false), call_parts(call)) {
                (HostsArgument::Import(path), _) => Self::File(path),
                (_, (function, arguments))
                    if function_name(&function).as_deref() == Some("import-tree") =>
                {
                    arguments.first().cloned().map_or(Self::Unknown, Self::Tree)
                }
                _ => Self::Unknown,
            },
            _ => Self::Unknown,
        }
    }
}

/// Returns the modules in the `imports` of a module.
pub(super) fn imported_modules(module: &SyntaxNode) -> Vec<ImportedModule> {
    let mut modules = Vec::new();
    for value in values_of_imports(module) {
        collect_modules(&value, &mut modules);
    }
    modules
}

/// Returns the values of `imports` in a module.
pub(super) fn values_of_imports(module: &SyntaxNode) -> Vec<ast::Expr> {
    let mut values = Vec::new();
    for entry in list_entries(module) {
        let ast::Entry::AttrpathValue(entry) = entry else {
            continue;
        };
        let path = entry_path(&entry);
        let is_imports = path.len() == 1 && path[0].0.as_deref() == Some("imports");
        values.extend(entry.value().filter(|_| is_imports));
    }
    values
}

fn collect_modules(list: &ast::Expr, modules: &mut Vec<ImportedModule>) {
    let list = inner_expression(list);
    if let Some((left, right)) = concatenated_lists(&list) {
        collect_modules(&left, modules);
        collect_modules(&right, modules);
        return;
    }
    if let ast::Expr::List(list) = &list {
        return modules.extend(list.items().map(|item| ImportedModule::of(&item)));
    }
    let module = read_folder(&list).or_else(|| made_of_list(&list));
    modules.push(module.unwrap_or(ImportedModule::Unknown));
}

/// Returns the modules that `map` makes of a list with names.
fn made_of_list(list: &ast::Expr) -> Option<ImportedModule> {
    let ast::Expr::Apply(call) = list else {
        return None;
    };
    match list_argument(call) {
        HostsArgument::List(names) => Some(ImportedModule::Made(names)),
        _ => None,
    }
}

/// Returns the folder that a computed list of modules reads: `readDir ./parts`, in any form.
fn read_folder(list: &ast::Expr) -> Option<ImportedModule> {
    const READERS: [&str; 2] = ["readDir", "listFilesRecursive"];
    let list = untyped(list);
    let reads = READERS.iter().any(|reader| mentions_name(&list, reader));
    let mut paths = list
        .descendants()
        .filter_map(|node| cast::<ast::PathRel>(&node));
    let path = paths.find(|path| untyped(path).children().next().is_none());
    path.filter(|_| reads)
        .map(|path| ImportedModule::Tree(ast::Expr::PathRel(path)))
}

/// Finds the hosts that a module and its imports define; empty if they define none.
pub(super) fn search_module(
    module: &ast::Expr,
    output: &[&str],
    context: Context<'_>,
) -> FlakeHosts {
    let body = function_body(module);
    if let ast::Expr::AttrSet(_) = body {
        return search_module_set(&untyped(&body), output, context);
    }
    let imported = ImportedModule::of(&body);
    let found = search_imported(&imported, output, context);
    if !found.is_empty() {
        return found;
    }
    let reason = match (&imported, &body) {
        (ImportedModule::File(_) | ImportedModule::Tree(_), _) => {
            "no module with hosts is found".to_owned()
        }
        (_, ast::Expr::Apply(call)) => format!("it is computed by `{}`", function_text(call)),
        (_, other) => format!("it comes from `{other}`"),
    };
    FlakeHosts::with_obstacle(&untyped(&body), &[&["flake"], output].concat(), reason)
}

fn search_module_set(module: &SyntaxNode, output: &[&str], context: Context<'_>) -> FlakeHosts {
    let mut found = FlakeHosts::default();
    for prefix in [&[][..], &["config"][..]] {
        let path = [prefix, &["flake"], output].concat();
        found.append(search_entries(module, &path, context));
        if output == ["nixosConfigurations"] {
            for option in OPTIONS {
                let path = [prefix, option].concat();
                found.append(search_entries(module, &path, context).into_argument());
            }
        }
    }
    for imported in imported_modules(module) {
        found.append(search_imported(&imported, output, context));
    }
    found
}

fn search_imported(imported: &ImportedModule, output: &[&str], context: Context<'_>) -> FlakeHosts {
    let search = |expression: &ast::Expr, context: Context<'_>| {
        let body = function_body(expression);
        match &body {
            ast::Expr::AttrSet(_) => search_module_set(&untyped(&body), output, context),
            // a function of the fleet makes the module of a host: `mkHost { name = "web01"; }`
            ast::Expr::Apply(call) if output == ["nixosConfigurations"] => {
                host_of_file(call, &[], context).unwrap_or_default()
            }
            _ => FlakeHosts::default(),
        }
    };
    match imported {
        ImportedModule::File(path) => in_file(path, output, context, search).unwrap_or_default(),
        ImportedModule::Inline(module) => search(module, context),
        ImportedModule::Tree(path) => {
            let mut found = FlakeHosts::default();
            let folders = tree_folders(path, context).into_iter();
            for file in folders.flat_map(|folder| list_modules(&folder, context)) {
                if let Some(Ok(file)) = context.sources.open(&file) {
                    found.append(in_source(&file, context, search));
                }
            }
            found
        }
        ImportedModule::Made(names) if output == ["nixosConfigurations"] => {
            let found = search_list(names, context).into_argument();
            let is_of_hosts = found.obstacles.is_empty() && has_hosts(context.sources, &found);
            Some(found).filter(|_| is_of_hosts).unwrap_or_default()
        }
        ImportedModule::Made(_) | ImportedModule::Foreign | ImportedModule::Unknown => {
            FlakeHosts::default()
        }
    }
}

/// Returns the folders that `import-tree` gets: one, or a list of them.
fn tree_folders(path: &ast::Expr, context: Context<'_>) -> Vec<String> {
    let folder = |path: ast::Expr| context.sources.literal_path(&path);
    match inner_expression(path) {
        ast::Expr::List(list) => list.items().filter_map(folder).collect(),
        path => folder(path).into_iter().collect(),
    }
}

/// Returns the files that `import-tree` reads: all below the folder, but none with `/_` in its
/// path.
fn list_modules(folder: &str, context: Context<'_>) -> Vec<String> {
    let mut modules = Vec::new();
    for name in context.sources.files.list(folder) {
        if name.starts_with('_') {
            continue;
        }
        let path = join_path(folder, name.trim_end_matches('/'));
        if name.ends_with('/') {
            modules.extend(list_modules(&path, context));
        } else if is_nix_file(&name) {
            modules.push(path);
        }
    }
    modules
}
