//! Flakes that find their hosts by reading a folder, so that a host needs no entry.

use rnix::SyntaxNode;
use rnix::ast::{self, HasEntry};

use super::call::function_name;
use super::expression::{call_parts, inner_expression, literal_string, pipe_operands};
use super::files::{SourceFile, Sources, join_path};
use super::flake_hosts::FlakeHosts;
use super::folders::{folder_of_system, folder_prefix, is_folder_of_others, path_of_variable};
use super::host_files::host_files;
use super::name::is_system;
use super::parse::{cast, untyped};
use super::scope::{Binding, entry_path, resolve_variable, value_of};

/// A folder whose files are the hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// The function or the module that reads the folder.
    pub reader: String,
    /// The main file of a host, from the fleet's root, with `{}` for the name.
    pub file: String,
    /// The hosts that the folder has.
    pub hosts: Vec<String>,
}

impl Discovery {
    /// Returns whether a known project reads the folder, so that nothing else makes hosts.
    pub(super) fn is_of_project(&self) -> bool {
        let mut projects = CONVENTIONS.iter().map(|convention| convention.project);
        projects.any(|project| project == self.reader)
    }
}

/// A project that reads folders of fixed names.
struct Convention {
    project: &'static str,
    /// A part of the address of its input.
    address: &'static str,
    /// The settings that move the folder, and the folder that they replace.
    root: &'static [&'static [&'static str]],
    /// The folder below the root.
    folder: &'static str,
    /// The main file of a host, in the order of preference.
    files: &'static [&'static str],
    /// True if a setting must be true.
    only_if: Option<&'static str>,
}

const CONVENTIONS: [Convention; 7] = [
    Convention {
        project: "snowfall-lib",
        address: "snowfallorg/lib",
        root: &[&["snowfall", "root"], &["src"]],
        folder: "systems",
        files: &["{}/default.nix"],
        only_if: None,
    },
    Convention {
        project: "blueprint",
        address: "/blueprint",
        root: &[&["prefix"]],
        folder: "hosts",
        files: &["{}/configuration.nix", "{}/default.nix"],
        only_if: None,
    },
    Convention {
        project: "ez-configs",
        address: "/ez-configs",
        root: &[&["ezConfigs", "root"], &["root"]],
        folder: "nixos-configurations",
        files: &["{}.nix", "{}/default.nix"],
        only_if: None,
    },
    Convention {
        project: "nixos-unified",
        address: "/nixos-unified",
        root: &[],
        folder: "configurations/nixos",
        files: &["{}.nix", "{}/default.nix"],
        only_if: None,
    },
    Convention {
        project: "easy-hosts",
        address: "/easy-hosts",
        root: &[&["easy-hosts", "path"], &["easyHosts", "path"], &["path"]],
        folder: "",
        files: &["{}/default.nix", "{}.nix"],
        only_if: Some("autoConstruct"),
    },
    Convention {
        project: "clan-core",
        address: "/clan-core",
        root: &[&["directory"]],
        folder: "machines",
        files: &["{}/configuration.nix"],
        only_if: None,
    },
    Convention {
        project: "flakelight",
        address: "/flakelight",
        root: &[&["nixDir"]],
        folder: "nixos",
        files: &["{}.nix", "{}/default.nix"],
        only_if: None,
    },
];

/// Finds the folder that the flake reads its hosts from.
pub(super) fn find_discovery(
    sources: &Sources<'_>,
    flake: &SourceFile,
    found: &FlakeHosts,
) -> Option<Discovery> {
    let by_project = CONVENTIONS
        .iter()
        .filter(|convention| uses_project(flake, convention))
        .find_map(|convention| follow_convention(sources, convention));
    by_project.or_else(|| {
        let mut obstacles = found.obstacles.iter();
        obstacles.find_map(|obstacle| find_reading(sources, &obstacle.node))
    })
}

/// Returns whether an input of the flake is of a project.
fn uses_project(flake: &SourceFile, convention: &Convention) -> bool {
    let strings = flake
        .root
        .descendants()
        .filter_map(|node| cast::<ast::Str>(&node));
    let mut texts = strings.filter_map(|string| literal_string(&string));
    texts.any(|text| text.contains(':') && text.contains(convention.address))
        // a fork
        || flake.text.contains(&format!("{}.url", convention.project))
}

fn follow_convention(sources: &Sources<'_>, convention: &Convention) -> Option<Discovery> {
    if let Some(key) = convention.only_if {
        settings(sources, &[key]).find(|value| value.to_string() == "true")?;
    }
    let root = convention
        .root
        .iter()
        .find_map(|path| settings(sources, path).find_map(|value| folder_of(sources, &value)))
        // other settings have the same name, such as the folder of a service
        .filter(|root| !sources.files.list(root).is_empty());
    let folder = match (root, convention.folder) {
        (Some(root), "") => root,
        (None, "") => return None,
        (root, folder) => join_path(&root.unwrap_or_default(), folder),
    };
    let folder = folder_of_system(sources, &folder);
    let (file, hosts) = host_files(sources, &folder)
        .filter(|(file, _)| {
            let inner = file.strip_prefix(&format!("{folder}/"));
            inner.is_some_and(|inner| convention.files.contains(&inner))
        })
        .unwrap_or_else(|| (join_path(&folder, convention.files[0]), Vec::new()));
    Some(Discovery {
        reader: convention.project.to_owned(),
        file,
        hosts,
    })
}

/// Returns the values of a setting in all files of the search.
fn settings(sources: &Sources<'_>, path: &[&str]) -> impl Iterator<Item = ast::Expr> + use<> {
    let mut values = Vec::new();
    for file in sources.parsed() {
        let sets = file
            .root
            .descendants()
            .filter_map(|node| cast::<ast::AttrSet>(&node));
        for set in sets {
            collect_settings(&set, path, &mut values);
        }
    }
    values.into_iter()
}

fn collect_settings(set: &ast::AttrSet, path: &[&str], values: &mut Vec<ast::Expr>) {
    for entry in set.attrpath_values() {
        let names: Option<Vec<String>> = entry_path(&entry)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let names = names.unwrap_or_default();
        let Some(value) = entry.value() else { continue };
        let rest = path.get(names.len()..).unwrap_or_default();
        let is_on_way = !names.is_empty() && names == path[..path.len() - rest.len()];
        match inner_expression(&value) {
            _ if names == path => values.push(value),
            ast::Expr::AttrSet(inner) if is_on_way => collect_settings(&inner, rest, values),
            _ => {}
        }
    }
}

/// Returns the folder that a path or a string names.
fn folder_of(sources: &Sources<'_>, value: &ast::Expr) -> Option<String> {
    match value {
        ast::Expr::Str(string) => {
            let text = literal_string(string)?;
            let folder = text.trim_start_matches("./").trim_end_matches('/');
            (!folder.starts_with('/')).then(|| folder.to_owned())
        }
        path => folder_prefix(sources, path),
    }
}

/// Finds the call that reads the hosts' folder: in an expression, in its file, or a call with the
/// folder as its argument.
fn find_reading(sources: &Sources<'_>, node: &SyntaxNode) -> Option<Discovery> {
    let file = sources.file_of(node)?;
    let discover = |call: &ast::Apply, path: &ast::Expr| {
        let folder = folder_of_system(sources, &folder_prefix(sources, path)?);
        let (file, hosts) = host_files(sources, &folder)?;
        let reader = untyped(&call_parts(call).0).to_string();
        Some(Discovery {
            reader,
            file,
            hosts,
        })
    };
    let discover_argument = |path: ast::PathRel| {
        let mut around = untyped(&path).ancestors();
        let call = around.find_map(|node| cast::<ast::Apply>(&node))?;
        discover(&call, &ast::Expr::PathRel(path))
    };
    // the argument of `pipe`
    if let Some(path) = cast::<ast::PathRel>(node) {
        return discover_argument(path);
    }
    let read = |call: ast::Apply| discover(&call, &reading_argument(&call)?);
    let is_of_hosts = |discovery: &Discovery| is_folder_of_hosts(&discovery.file);
    let named_here = || {
        let nodes = [Some(node.clone()), called_definition(node)].into_iter();
        let nodes = nodes.flatten().flat_map(|node| node.descendants());
        let paths = nodes.filter_map(|node| cast::<ast::PathRel>(&node));
        paths.filter_map(discover_argument).find(is_of_hosts)
    };
    let named_by_variable = || {
        let call = cast::<ast::Apply>(node)?;
        let (function, arguments) = call_parts(&call);
        let folders = arguments.iter().filter_map(path_of_variable);
        let mut found = folders.filter_map(|path| {
            let folder = folder_of_system(sources, &folder_prefix(sources, &path)?);
            let (file, hosts) = host_files(sources, &folder)?;
            let reader = untyped(&function).to_string();
            Some(Discovery {
                reader,
                file,
                hosts,
            })
        });
        found.find(is_of_hosts)
    };
    let read_piped = |node: SyntaxNode| {
        let (path, function) = pipe_operands(&cast::<ast::Expr>(&node)?)?;
        let is_reader = function_name(&function).is_some_and(|name| name == "readDir");
        let folder = folder_prefix(sources, &path).filter(|_| is_reader)?;
        let (file, hosts) = host_files(sources, &folder_of_system(sources, &folder))?;
        Some(Discovery {
            reader: untyped(&function).to_string(),
            file,
            hosts,
        })
    };
    let called = calls_in(node).filter_map(read);
    let piped = node.descendants().filter_map(read_piped);
    let reads: Vec<Discovery> = called.chain(piped).collect();
    let best = reads.iter().find(|one| is_of_hosts(one)).cloned();
    best.or_else(named_here)
        .or_else(named_by_variable)
        .or_else(|| calls_in(&file.root).filter_map(read).find(is_of_hosts))
        .or_else(|| {
            reads
                .into_iter()
                .find(|one| !is_folder_of_others(&one.file))
        })
}

/// Returns the definition of the function that a call calls, such as `lib.forHosts ./hosts`.
fn called_definition(node: &SyntaxNode) -> Option<SyntaxNode> {
    let function = call_parts(&cast::<ast::Apply>(node)?).0;
    let name = match &function {
        ast::Expr::Ident(variable) => variable.to_string(),
        _ => return None,
    };
    match resolve_variable(&name, node) {
        Binding::Entry(scope) => Some(untyped(&value_of(&scope, &name)?)),
        Binding::Argument | Binding::Unknown => None,
    }
}

fn calls_in(node: &SyntaxNode) -> impl Iterator<Item = ast::Apply> + use<> {
    node.descendants()
        .filter_map(|node| cast::<ast::Apply>(&node))
}

/// Returns the folder that a call reads, if its function reads folders.
fn reading_argument(call: &ast::Apply) -> Option<ast::Expr> {
    let (function, arguments) = call_parts(call);
    match (function_name(&function)?.as_str(), arguments.first()?) {
        ("readDir" | "listFilesRecursive" | "rakeLeaves", path) => Some(path.clone()),
        ("load", ast::Expr::AttrSet(set)) => set.attrpath_values().find_map(|entry| {
            let path = entry_path(&entry);
            let is_source = path.len() == 1 && path[0].0.as_deref() == Some("src");
            entry.value().filter(|_| is_source)
        }),
        _ => None,
    }
}

/// Returns whether the last folder above the main files has the name of hosts, so that other
/// folders that a flake reads, such as overlays, are not taken for it. That of a system is passed
/// over.
fn is_folder_of_hosts(file: &str) -> bool {
    let folder = file.split("{}").next().unwrap_or_default();
    let mut parts = folder.trim_end_matches('/').rsplit('/');
    let name = parts.find(|part| !is_system(part));
    name.is_some_and(is_name_of_hosts) && !is_folder_of_others(file)
}

/// Returns whether the name of a folder is one of folders with hosts.
pub(super) fn is_name_of_hosts(name: &str) -> bool {
    const WORDS: [&str; 10] = [
        "host", "machine", "system", "nixos", "node", "server", "box", "device", "computer",
        "fleet",
    ];
    let name = name.to_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

/// Returns whether at least half of the names are those of files or folders of the fleet, as hosts
/// have them.
pub(super) fn has_hosts(sources: &Sources<'_>, found: &FlakeHosts) -> bool {
    let names = found.names();
    // a new host has no file yet
    let known = names_with_files(sources, names.iter().map(AsRef::as_ref)).len();
    let all = names.len();
    known > 0 && (known * 2 >= all || (known > 1 && known * 2 + 1 >= all))
}

/// Returns whether a function gets a folder of hosts beside a set without any of them, so that the
/// set has its settings: `mapHosts ./hosts { defaults = ./.; }`.
pub(super) fn reads_folder_beside(
    call: &ast::Apply,
    found: &FlakeHosts,
    sources: &Sources<'_>,
) -> bool {
    let names = found.hosts.iter().map(|host| host.name.as_str());
    let is_folder_of_hosts = |argument: &ast::Expr| {
        let folder = match argument {
            ast::Expr::PathRel(_) => sources.literal_path(argument),
            _ => None,
        };
        let hosts = folder.and_then(|folder| host_files(sources, &folder));
        hosts.is_some_and(|(file, _)| is_folder_of_hosts(&file))
    };
    !found.hosts.is_empty()
        && call_parts(call).1.iter().any(is_folder_of_hosts)
        && names_with_files(sources, names).is_empty()
}

/// Returns those of the names that are of files or folders below a folder of hosts.
pub(super) fn names_with_files<'n>(
    sources: &Sources<'_>,
    names: impl Iterator<Item = &'n str>,
) -> Vec<&'n str> {
    let has_file = |name: &&str| {
        sources.paths().iter().any(|path| {
            let parts: Vec<&str> = path.split('/').collect();
            let is_name = |part: &&str| part.strip_suffix(".nix").unwrap_or(part) == *name;
            let place = parts.iter().position(is_name);
            let above = place.map(|place| &parts[place.saturating_sub(2)..place]);
            above.is_some_and(|above| above.iter().any(|part| is_name_of_hosts(part)))
        })
    };
    names
        .filter(|name| *name != "default" && has_file(name))
        .collect()
}
