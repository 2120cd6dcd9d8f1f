//! The hosts that a module is named after: `flake.modules.nixos.web01` in `hosts/web01.nix`.

use rnix::SyntaxNode;
use rnix::ast;

use super::abstraction::{MARK, abstract_tokens, rename_path};
use super::discovery::is_name_of_hosts;
use super::expression::{function_body, inner_expression, literal_string};
use super::files::{SourceFile, Sources};
use super::flake_hosts::FlakeHosts;
use super::individual::is_image;
use super::parse::{cast, node_range, parse_source, untyped};
use super::registry::options_of;
use super::scope::{Binding, entry_path, list_entries, resolve_variable, value_of};

/// The limit of names before that of the host.
const MAX_DEPTH: usize = 5;

/// A host, and the file that defines modules with its name.
#[derive(Clone, Debug)]
struct Definer {
    host: String,
    /// The path of the file, with a mark for the name.
    form: String,
    /// The paths of the modules' attributes, with a mark for the name.
    modules: Vec<String>,
}

/// Returns the hosts with the form of the file that defines a module with the name of each. The
/// flake's hosts are known, or else are those that files below a folder of hosts are named after;
/// none if fewer than half of them have such a file. `name` is the new host.
pub(super) fn list_definers(
    sources: &Sources<'_>,
    found: &FlakeHosts,
    name: &str,
) -> Vec<(String, String)> {
    let mut known: Vec<&str> = found.hosts.iter().map(|host| host.name.as_str()).collect();
    known.retain(|host| *host != name);
    if !known.is_empty() && known.iter().all(|host| is_image(host)) {
        return Vec::new();
    }
    known.retain(|host| !is_image(host));
    known.sort_unstable();
    known.dedup();
    let named = read_definers(sources, &known, name);
    let definers: Vec<&Definer> = named.iter().filter(|one| !one.modules.is_empty()).collect();
    let definers = keep_options(definers, &options_of(found));
    let count = |form: &str| definers.iter().filter(|one| one.form == form).count();
    let is_common = |one: &&&Definer| match known.len() {
        0 => {
            let all = named.iter().filter(|other| other.form == one.form).count();
            count(&one.form) > 1 && count(&one.form) * 2 > all
        }
        known => count(&one.form) * 2 > known,
    };
    let common: Vec<&Definer> = definers.iter().filter(is_common).copied().collect();
    let common = keep_most_common(&common).into_iter();
    common
        .map(|one| (one.host.clone(), one.form.clone()))
        .collect()
}

/// Keeps the hosts with the module that most of them have: one of a set of hosts, else one of
/// NixOS, if there is any.
fn keep_most_common<'a>(definers: &[&'a Definer]) -> Vec<&'a Definer> {
    let has = |one: &Definer, path: &str| one.modules.iter().any(|other| plain(other) == path);
    let paths = definers.iter().flat_map(|one| &one.modules);
    let best = paths.map(|path| plain(path)).max_by_key(|path| {
        let count = definers.iter().filter(|one| has(one, path)).count();
        (is_in_registry(path), is_module_of_nixos(path), count)
    });
    let kept = definers.iter().copied();
    kept.filter(|one| best.is_some_and(|best| has(one, best)))
        .collect()
}

/// Returns whether a path is that of a host in a set of hosts, such as `den.hosts.x86_64-linux.{}`,
/// so that the host is there because of it.
fn is_in_registry(path: &str) -> bool {
    let above = path.strip_suffix(MARK);
    above.is_some_and(|above| above.split('.').any(|name| name == "hosts"))
}

/// Returns the path of a module without the name of the set of all settings.
fn plain(path: &str) -> &str {
    path.strip_prefix("config.").unwrap_or(path)
}

/// Keeps the hosts whose modules are in an option that the flake makes hosts from, if it names one;
/// else those with modules of NixOS, if there are any.
fn keep_options<'a>(definers: Vec<&'a Definer>, options: &[Vec<String>]) -> Vec<&'a Definer> {
    let is_in = |one: &&Definer| {
        let starts = |path: &String| {
            let path = plain(path);
            let options = options.iter().map(|option| option.join("."));
            options
                .into_iter()
                .any(|option| path.starts_with(&format!("{option}.")))
        };
        one.modules.iter().any(starts)
    };
    let is_of_nixos = |one: &&Definer| one.modules.iter().any(|path| is_module_of_nixos(path));
    let keep = |is_wanted: &dyn Fn(&&Definer) -> bool| -> Vec<&'a Definer> {
        definers
            .iter()
            .copied()
            .filter(|one| is_wanted(one))
            .collect()
    };
    let mut kept = [keep(&is_in), keep(&is_of_nixos)].into_iter();
    kept.find(|kept| !kept.is_empty()).unwrap_or(definers)
}

/// Returns the files that are named after a host.
fn read_definers(sources: &Sources<'_>, known: &[&str], name: &str) -> Vec<Definer> {
    let mut definers = Vec::new();
    for path in sources.paths() {
        for (host, form) in names_in_path(path, known) {
            let is_model = host != name && !is_image(&host);
            let Some(Ok(file)) = sources.open(path).filter(|_| is_model) else {
                continue;
            };
            let modules = module_paths(&file.root, &host);
            definers.push(Definer {
                host,
                form,
                modules,
            });
        }
    }
    definers
}

/// Returns the hosts that a file may be named after, each with the form of its path.
fn names_in_path(path: &str, known: &[&str]) -> Vec<(String, String)> {
    let with_form = |host: &str| (host.to_owned(), rename_path(path, host, MARK));
    if !known.is_empty() {
        let forms = known.iter().map(|host| with_form(host));
        return forms.filter(|(_, form)| form != path).collect();
    }
    let parts: Vec<&str> = path.split('/').collect();
    let folder = parts.iter().position(|part| is_name_of_hosts(part));
    let part = folder.and_then(|folder| parts.get(folder + 1));
    part.map(|part| with_form(part.strip_suffix(".nix").unwrap_or(part)))
        .into_iter()
        .collect()
}

/// Completes the file of a new host: each module that more than half of the other files define, and
/// that the text names without having it. A text without any of the modules becomes the least one.
pub(super) fn complete_modules(
    text: &str,
    others: &[(&SourceFile, &str)],
    host: &str,
    sets_name: bool,
) -> String {
    let lists: Vec<Vec<String>> = others
        .iter()
        .map(|(file, other)| module_paths(&file.root, other))
        .collect();
    let mut common: Vec<String> = lists.iter().flatten().cloned().collect();
    common.sort();
    common.dedup();
    let count = |path: &String| lists.iter().filter(|list| list.contains(path)).count();
    common.retain(|path| count(path) * 2 > others.len());
    let own = modules_in_text(text, host);
    let most = common
        .iter()
        .max_by_key(|path| (is_module_of_nixos(path), count(path)));
    let Some(most) = most.or_else(|| lists.iter().flatten().next()) else {
        return text.to_owned();
    };
    if !own
        .iter()
        .any(|path| lists.iter().any(|list| list.contains(path)))
    {
        return format!("{{\n  {}\n}}\n", least_module(most, host, sets_name));
    }
    let mut text = text.to_owned();
    let is_own = |path: &str| own.iter().any(|known| plain(known) == plain(path));
    for path in common.iter().filter(|path| !is_own(path)) {
        let last_two: Vec<&str> = path.rsplitn(3, '.').take(2).collect();
        let named: Vec<String> = last_two
            .iter()
            .rev()
            .map(|name| name.replace(MARK, host))
            .collect();
        let is_named = path == most || text.contains(&format!(".{}", named.join(".")));
        if let Some(end) = end_of_module(&text).filter(|_| is_named) {
            text.insert_str(
                end,
                &format!("\n  {}\n", least_module(path, host, sets_name)),
            );
        }
    }
    text
}

/// Returns the entry of a module without any setting, or with the host's name alone.
fn least_module(path: &str, host: &str, sets_name: bool) -> String {
    let path = path.replace(MARK, host);
    let name = format!("networking.hostName = \"{host}\";");
    let is_of_den = path.starts_with("den.aspects.");
    if is_of_den && sets_name {
        format!("{path}.nixos.{name}")
    } else if is_of_den {
        format!("{path}.nixos = {{ }};")
    } else if sets_name && is_module_of_nixos(&path) {
        format!("{path} = {{\n    {name}\n  }};")
    } else {
        format!("{path} = {{ }};")
    }
}

fn is_module_of_nixos(path: &str) -> bool {
    let mut parts = path.split('.');
    parts.any(|part| part == "nixos" || part == "nixosModules")
}

/// Returns the paths of the modules with the name of a host that a text defines.
pub(super) fn modules_in_text(text: &str, host: &str) -> Vec<String> {
    parse_source(text).map_or_else(|_| Vec::new(), |root| module_paths(&root, host))
}

/// Returns the place before the last brace of a module.
fn end_of_module(text: &str) -> Option<usize> {
    let body = body_of(&parse_source(text).ok()?)?;
    node_range(&body).end.checked_sub(1)
}

/// Returns the set that a source is, or that its function returns.
fn body_of(root: &SyntaxNode) -> Option<SyntaxNode> {
    match function_body(&cast::<ast::Root>(root)?.expr()?) {
        ast::Expr::AttrSet(body) => Some(untyped(&body)),
        _ => None,
    }
}

/// Returns the paths of the attributes with the name of a host that a file defines as a module of
/// flake-parts, with a mark for that name. A module of NixOS has none.
fn module_paths(root: &SyntaxNode, host: &str) -> Vec<String> {
    const COMMON: [&str; 3] = ["config", "imports", "options"];
    let mut paths = Vec::new();
    let is_of_nixos = |name: &String| is_option_of_nixos(name) && !COMMON.contains(&name.as_str());
    let body = body_of(root).filter(|body| !first_names(body).iter().any(is_of_nixos));
    if let Some(body) = body {
        collect_paths(&body, host, "", &mut paths);
    }
    paths
}

fn collect_paths(set: &SyntaxNode, host: &str, prefix: &str, paths: &mut Vec<String>) {
    for entry in list_entries(set) {
        let ast::Entry::AttrpathValue(entry) = entry else {
            continue;
        };
        let attributes = entry_path(&entry);
        let first = attributes.first().and_then(|(name, _)| name.as_deref());
        let is_option = |name: &str| name != "config" && is_option_of_nixos(name);
        if prefix.is_empty() && first.is_none_or(is_option) {
            continue;
        }
        let names = attributes
            .iter()
            .map(|(_, attribute)| attribute_of_host(attribute, host));
        let mut path = prefix.to_owned();
        for name in names {
            path.push_str(&name);
            if name.contains(MARK) {
                break;
            }
            path.push('.');
        }
        match entry.value().map(|value| inner_expression(&value)) {
            _ if path.contains(MARK) => paths.push(path),
            Some(ast::Expr::AttrSet(inner)) if path.matches('.').count() < MAX_DEPTH => {
                collect_paths(&untyped(&inner), host, &path, paths);
            }
            _ => {}
        }
    }
}

/// Returns the name of an attribute with a mark for the host's, which may be that of a variable.
fn attribute_of_host(attribute: &SyntaxNode, host: &str) -> String {
    let text = attribute.to_string();
    let variable = text
        .strip_prefix("${")
        .and_then(|text| text.strip_suffix('}'));
    let definition = variable.and_then(|variable| match resolve_variable(variable, attribute) {
        Binding::Entry(scope) => value_of(&scope, variable),
        Binding::Argument | Binding::Unknown => None,
    });
    let is_host = definition.is_some_and(|value| match &value {
        ast::Expr::Str(string) => literal_string(string).as_deref() == Some(host),
        _ => false,
    });
    if is_host {
        return MARK.to_owned();
    }
    abstract_tokens(attribute, host).concat()
}

/// Returns whether a source is a module of NixOS or of a home, not data about a host.
pub fn is_module(source: &str) -> bool {
    let Some(body) = parse_source(source).ok().and_then(|root| body_of(&root)) else {
        return false;
    };
    // `system.stateVersion` is an option, and `system = "…"` is data
    let sets_system = list_entries(&body).into_iter().any(|entry| match entry {
        ast::Entry::AttrpathValue(entry) => {
            let path = entry_path(&entry);
            path.len() > 1 && path[0].0.as_deref() == Some("system")
        }
        ast::Entry::Inherit(_) => false,
    });
    let names = first_names(&body);
    let is_option = |name: &String| is_option_of_nixos(name) || name == "home";
    sets_system || names.is_empty() || names.iter().any(is_option)
}

/// Returns the first names of a set's entries.
fn first_names(set: &SyntaxNode) -> Vec<String> {
    let entries = list_entries(set).into_iter();
    let name = |entry| match entry {
        ast::Entry::AttrpathValue(entry) => entry_path(&entry).into_iter().next()?.0,
        ast::Entry::Inherit(_) => None,
    };
    entries.filter_map(name).collect()
}

fn is_option_of_nixos(name: &str) -> bool {
    const OPTIONS: [&str; 30] = [
        "age",
        "boot",
        "config",
        "console",
        "deployment",
        "disko",
        "documentation",
        "environment",
        "fileSystems",
        "fonts",
        "hardware",
        "home-manager",
        "i18n",
        "imports",
        "microvm",
        "networking",
        "nix",
        "nixpkgs",
        "options",
        "powerManagement",
        "programs",
        "security",
        "services",
        "sops",
        "swapDevices",
        "systemd",
        "time",
        "users",
        "virtualisation",
        "zramSwap",
    ];
    OPTIONS.contains(&name)
}
