//! The text of a host's main file, with what the other hosts share.

use zts_infra_edit::nix::{self, CommonImport};

use super::places::HostPlaces;
use crate::host_paths::{MARK, collect_paths, machine_skeleton, rename_path, skeleton};

impl HostPlaces<'_> {
    /// Returns the text of a file that nothing can be learnt for.
    pub(in super::super) fn first_text(&self, path: &str, name: &str) -> String {
        if let Some(text) = skeleton(path) {
            return text.to_owned();
        }
        let imports = self.common_imports(path, name);
        let (host, domain) = name.split_once('.').unwrap_or((name, ""));
        let domain = (host != name).then(|| format!("networking.domain = \"{domain}\";"));
        let name_line = format!("networking.hostName = \"{host}\";");
        let own = self.system.as_ref().filter(|_| self.sets_platform);
        let own = own.map(|system| format!("nixpkgs.hostPlatform = \"{system}\";"));
        let platform = own.or_else(|| self.platform_line(path, name));
        let name_line = (!self.is_name_composed()).then_some(name_line);
        let lines: Vec<String> = [name_line, domain, platform]
            .into_iter()
            .flatten()
            .collect();
        if lines.is_empty() && imports.is_empty() {
            return "{ }\n".to_owned();
        }
        let mut text = render_head(&imports) + "{\n" + &render_imports(&imports);
        if !lines.is_empty() && !imports.is_empty() {
            text.push('\n');
        }
        for line in &lines {
            text.extend(["  ", line, "\n"]);
        }
        text + "}\n"
    }

    /// Returns whether the fleet composes the names of its hosts: `hostName = "rack-${name}"`. A
    /// name in the host's own file would be a second definition.
    fn is_name_composed(&self) -> bool {
        let mut paths = Vec::new();
        collect_paths(self.files, "", &mut paths);
        let is_of_host = |path: &String| {
            let mut hosts = self.hosts.iter();
            hosts.any(|host| rename_path(path, host).is_some())
        };
        let others = paths.iter().filter(|path| !is_of_host(path));
        let mut texts = others.filter_map(|path| self.files.read(path));
        texts.any(|text| {
            text.split("networking.hostName = \"")
                .skip(1)
                .any(is_composed)
        })
    }

    /// Returns the imports that most hosts' modules of this form have: those of files that the
    /// fleet has, or that the new host gets because they are of its machine.
    fn common_imports(&self, path: &str, name: &str) -> Vec<CommonImport> {
        let Some(form) = rename_path(path, name) else {
            return Vec::new();
        };
        let pattern = self.patterns.iter().find(|known| known.path == form);
        let hosts = pattern.map(|pattern| pattern.hosts.as_slice());
        let texts: Vec<(&str, String)> = hosts
            .unwrap_or_default()
            .iter()
            .filter_map(|host| {
                let text = self.files.read(&form.replace(MARK, host))?;
                Some((host.as_str(), text))
            })
            .collect();
        let modules: Vec<(&str, &str)> = texts
            .iter()
            .map(|(host, text)| (*host, text.as_str()))
            .collect();
        let mut imports = nix::common_imports(&modules, name);
        imports.retain(|import| !import.is_path || self.can_import(path, &import.text, name));
        imports
    }

    /// Returns whether a module of the new host can import a file.
    fn can_import(&self, path: &str, import: &str, name: &str) -> bool {
        let Some(target) = nix::resolve_path(path, import) else {
            return false;
        };
        if rename_path(&target, name).is_some() {
            return nix::is_nix_file(&target) && machine_skeleton(&target).is_some();
        }
        let inner = format!("{target}/default.nix");
        self.files.read(&target).is_some() || self.files.read(&inner).is_some()
    }

    /// Returns the most common line of the hosts' main files that sets their platform.
    fn platform_line(&self, main: &str, name: &str) -> Option<String> {
        let pattern = rename_path(main, name)?;
        let pattern = self.patterns.iter().find(|known| known.path == pattern)?;
        let mut lines: Vec<String> = pattern
            .hosts
            .iter()
            .filter_map(|host| self.files.read(&pattern.path.replace(MARK, host)))
            .filter_map(|text| {
                let start = text.find("nixpkgs.hostPlatform = \"")?;
                let (line, _) = text[start..].split_once(';')?;
                Some(format!("{line};"))
            })
            .collect();
        lines.sort();
        let count = |line: &String| lines.iter().filter(|other| *other == line).count();
        let common = lines.iter().max_by_key(|line| count(line))?;
        (count(common) * 2 > pattern.hosts.len()).then(|| common.clone())
    }
}

/// Renders the arguments that the imports of a module need.
fn render_head(imports: &[CommonImport]) -> String {
    let mut arguments: Vec<&str> = imports
        .iter()
        .flat_map(|import| import.arguments.iter().map(String::as_str))
        .collect();
    arguments.sort_unstable();
    arguments.dedup();
    if arguments.is_empty() {
        return String::new();
    }
    format!("{{ {}, ... }}:\n", arguments.join(", "))
}

fn render_imports(imports: &[CommonImport]) -> String {
    if imports.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = imports
        .iter()
        .map(|import| format!("    {}\n", import.text))
        .collect();
    format!("  imports = [\n{}  ];\n", lines.concat())
}

/// Returns whether a string, from its first letter on, has a variable and more.
fn is_composed(text: &str) -> bool {
    let string = text.split('"').next().unwrap_or_default();
    let variable = string
        .strip_prefix("${")
        .and_then(|rest| rest.split_once('}'));
    string.contains("${") && variable.is_none_or(|(_, rest)| !rest.is_empty())
}
