//! The main files of the hosts in a folder.

use rnix::SyntaxNode;
use rnix::ast;

use super::abstraction::{MARK, rename_segments};
use super::context::Context;
use super::elements::element_name;
use super::expression::literal_string;
use super::files::{Sources, is_nix_file, join_path};
use super::flake_hosts::FlakeHosts;
use super::folders::is_folder_of_others;
use super::parse::untyped;
use super::scope::{Binding, resolve_variable, value_of};

/// Returns the form of the hosts' main files in a folder, and the hosts; `None` without hosts.
pub(super) fn host_files(sources: &Sources<'_>, folder: &str) -> Option<(String, Vec<String>)> {
    let mut forms: Vec<(String, Vec<String>)> =
        ["{}/default.nix", "{}/configuration.nix", "{}.nix"]
            .iter()
            .map(|form| (join_path(folder, form), Vec::new()))
            .collect();
    for name in sources.files.list(folder) {
        let (host, index) = if let Some(host) = name.strip_suffix('/') {
            let inner = sources.files.list(&join_path(folder, host));
            let has = |file: &str| inner.iter().any(|name| name == file);
            match (has("default.nix"), has("configuration.nix")) {
                (true, _) => (host, 0),
                (false, true) => (host, 1),
                (false, false) => continue,
            }
        } else {
            match name.strip_suffix(".nix") {
                Some(host) if host != "default" => (host, 2),
                _ => continue,
            }
        };
        forms[index].1.push(host.to_owned());
    }
    let best = forms
        .into_iter()
        .rev()
        .max_by_key(|(_, hosts)| hosts.len())?;
    let known = Some(best).filter(|(_, hosts)| !hosts.is_empty());
    known.or_else(|| only_files(sources, folder))
}

/// Returns the form of the only file that all folders have, of whatever name.
fn only_files(sources: &Sources<'_>, folder: &str) -> Option<(String, Vec<String>)> {
    let names = sources.files.list(folder);
    let hosts: Vec<String> = names
        .iter()
        .filter_map(|name| Some(name.strip_suffix('/')?.to_owned()))
        .collect();
    let in_folder = |host: &String| {
        let mut files = sources.files.list(&join_path(folder, host));
        files.retain(|file| is_nix_file(file));
        files
    };
    let first = in_folder(hosts.first()?);
    let [file] = first.as_slice() else {
        return None;
    };
    let have_it = hosts.iter().all(|host| in_folder(host).contains(file));
    (have_it && hosts.len() > 1).then(|| (join_path(folder, &format!("{{}}/{file}")), hosts))
}

/// Returns the host of a call with its name, such as `mkNixos "web01"`, in a file with this name.
pub(super) fn host_of_file(
    call: &ast::Apply,
    path: &[&str],
    context: Context<'_>,
) -> Option<FlakeHosts> {
    let here = untyped(call);
    let (name, string) = element_name(&ast::Expr::Apply(call.clone()))?;
    let file = context.sources.file_of(&here)?;
    let is_own = path.is_empty()
        && !is_folder_of_others(&name)
        && rename_segments(&file.path, &name, MARK) != file.path;
    is_own.then(|| FlakeHosts::of_one(name, &here, untyped(&string)))
}

/// Returns the name that a computed attribute has by a variable of its file, such as `${hostName}`,
/// if the file has the same name.
pub(super) fn name_by_variable(attribute: &SyntaxNode, context: Context<'_>) -> Option<String> {
    let text = attribute.to_string();
    let variable = text.trim_matches('"');
    let variable = variable.strip_prefix("${")?.strip_suffix('}')?;
    let Binding::Entry(scope) = resolve_variable(variable, attribute) else {
        return None;
    };
    let name = match value_of(&scope, variable)? {
        ast::Expr::Str(string) => literal_string(&string)?,
        _ => return None,
    };
    let file = context.sources.file_of(attribute)?;
    let is_own = rename_segments(&file.path, &name, MARK) != file.path;
    is_own.then_some(name)
}
