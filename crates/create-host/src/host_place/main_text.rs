//! The text of a host's main file, with what the other hosts share.

use zts_infra_edit::nix::{self, CommonImport};

use super::places::HostPlaces;
use crate::{
    host_paths::{MARK, is_of_secrets, machine_skeleton, rename_path, skeleton},
    overlay::NewFile,
};

impl HostPlaces<'_> {
    /// Returns the text of a file that nothing can be learnt for.
    pub(in super::super) fn first_text(&self, path: &str, name: &str) -> String {
        if let Some(text) = self.machine_or_user_text(path, name) {
            return text;
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

    /// Leaves the host's name in one of the files that get it: the first one of those in which most
    /// hosts have theirs, else the first one. A module of a user's home has no such option.
    pub(in super::super) fn set_name_once(&self, files: &mut [NewFile], name: &str) {
        let line = format!("  networking.hostName = \"{name}\";\n");
        let named = files.iter().enumerate();
        let named = named.filter(|(_, (_, text))| text.contains(&line));
        let named: Vec<usize> = named.map(|(index, _)| index).collect();
        let mut best = named.iter();
        let best = best.find(|index| self.have_names(&files[**index].0, name));
        let Some(kept) = best.or(named.first()).copied() else {
            return;
        };
        for index in named.into_iter().filter(|index| *index != kept) {
            let text = &mut files[index].1;
            *text = text
                .replace(&format!("\n\n{line}"), "\n")
                .replace(&line, "");
            if text.ends_with("{\n}\n") {
                text.truncate(text.len() - "\n}\n".len());
                text.push_str(" }\n");
            }
        }
    }

    /// Returns whether most hosts' files of this form set the host's name.
    fn have_names(&self, path: &str, name: &str) -> bool {
        let form = rename_path(path, name);
        let mut patterns = self.patterns.iter();
        let pattern = patterns.find(|known| Some(&known.path) == form.as_ref());
        pattern.is_some_and(|pattern| {
            let texts = pattern.hosts.iter();
            let texts = texts.filter_map(|host| self.files.read(&pattern.path.replace(MARK, host)));
            texts.filter(|text| text.contains("hostName")).count() * 2 > pattern.hosts.len()
        })
    }

    /// Returns the text of a file with the machine's hardware, or with the settings of a user.
    pub(in super::super) fn machine_or_user_text(&self, path: &str, name: &str) -> Option<String> {
        let text = skeleton(path)?;
        let is_of_home = machine_skeleton(path).is_none() && !is_of_secrets(path);
        let version = self.home_version(path, name).filter(|_| is_of_home);
        Some(match version {
            Some(version) => {
                let imports = self.common_imports(path, name);
                let imports = render_head(&imports) + "{\n" + &render_imports(&imports);
                format!("{imports}  home.stateVersion = {version};\n}}\n")
            }
            None => text.to_owned(),
        })
    }

    /// Returns the newest `home.stateVersion`, in quotes, if most hosts' files of this form have
    /// one: Home Manager needs it.
    fn home_version(&self, path: &str, name: &str) -> Option<String> {
        const KEY: &str = "stateVersion = ";
        let form = rename_path(path, name)?;
        let pattern = self.patterns.iter().find(|known| known.path == form)?;
        let versions = pattern.hosts.iter().filter_map(|host| {
            let text = self.files.read(&form.replace(MARK, host))?;
            let (value, _) = text.split_once(KEY)?.1.split_once(';')?;
            let is_literal = value.starts_with('"') && value.ends_with('"');
            is_literal.then(|| value.to_owned())
        });
        let versions: Vec<String> = versions.collect();
        let is_common = versions.len() * 2 > pattern.hosts.len();
        versions.into_iter().max().filter(|_| is_common)
    }

    /// Returns whether the fleet composes the names of its hosts: `hostName = "rack-${name}"`. A
    /// name in the host's own file would be a second definition.
    fn is_name_composed(&self) -> bool {
        let mut texts = self.texts_of_others().iter();
        texts.any(|(_, text)| {
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
        if let Some(form) = rename_path(&target, name) {
            let is_made = machine_skeleton(&target).is_some()
                || self.is_shared(&form, name)
                || self.companions(name).contains(&target);
            return nix::is_nix_file(&target) && is_made;
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
