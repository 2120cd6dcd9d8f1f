//! Declarations of one host, read from the text of its Nix files. Nothing is evaluated, so a
//! declaration with an expression in it stays, with a note.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use zts_cli::Failure;

use crate::{
    files::{NixFile, nix_files, without_dots},
    model::{Content, Declaration, DeclaredTemplate, Host, attribute_name},
    nix_text::{self, Attribute, FileDeclarations, Left, Value},
    tool::Tool,
};

/// Reads the host from these files, and from the Nix files below these folders.
pub(super) fn read_host(name: &str, paths: &[PathBuf]) -> Result<Host, Failure> {
    let mut read = Vec::new();
    for NixFile { path, text } in nix_files(paths)? {
        check_defaults(&path, &text)?;
        let declared = nix_text::declarations(&text)
            .map_err(|error| Failure::usage(format_args!("`{}`: {error}", path.display())))?;
        read.push((path, declared));
    }
    let defaults: BTreeSet<_> = read
        .iter()
        .filter_map(|(path, declared)| file_of(&declared.default_sops_file.as_ref()?.value, path))
        .collect();
    // Nix takes one of several by their priorities
    let default_file = defaults.first().filter(|_| defaults.len() == 1).cloned();
    let early: BTreeSet<_> = read
        .iter()
        .flat_map(|(_, declared)| declared.early.clone())
        .collect();
    let mut host = Host {
        name: name.to_owned(),
        hostname: name.to_owned(),
        files: None,
        secrets_directory: None,
        declarations: Vec::new(),
        templates: Vec::new(),
        unread: Vec::new(),
        notes: Vec::new(),
    };
    for (path, declared) in read {
        add_file(&mut host, &path, declared, default_file.as_deref());
    }
    for old in &mut host.declarations {
        old.needed_early |= early.contains(&(old.tool, old.name.clone()));
    }
    leave_declared_twice(&mut host);
    if host.declarations.is_empty() && host.unread.is_empty() && host.notes.is_empty() {
        return Err(Failure::usage(
            "these files declare no secret of sops-nix or agenix",
        ));
    }
    Ok(host)
}

/// Refuses a file that sets a default which only Nix can apply.
fn check_defaults(path: &Path, text: &str) -> Result<(), Failure> {
    let options = ["defaultSopsKey", "defaultSopsFormat"];
    let Some(option) = options.iter().find(|option| text.contains(*option)) else {
        return Ok(());
    };
    Err(Failure::usage(format_args!(
        "`{}` sets `sops.{option}`, which only Nix can apply",
        path.display()
    ))
    .hint("run it without `--file` where Nix is installed"))
}

/// Leaves the secrets that several files declare, with a note. Nix merges their attributes. A part
/// that cannot be read is the other file's, too.
fn leave_declared_twice(host: &mut Host) {
    let unread: BTreeSet<_> = host.unread.iter().map(|(name, _)| name.clone()).collect();
    host.declarations.retain(|old| !unread.contains(&old.name));
    let mut seen = BTreeSet::new();
    let all = host.declarations.iter();
    let twice: BTreeSet<_> = all
        .map(|old| (old.tool, old.name.clone()))
        .filter(|name| !seen.insert(name.clone()))
        .collect();
    for (tool, name) in &twice {
        let note = format!(
            "{}.secrets.{}: it stays: several files declare it, and only Nix can merge them",
            tool.option(),
            attribute_name(name)
        );
        host.unread.push((name.clone(), note));
    }
    host.declarations
        .retain(|old| !twice.contains(&(old.tool, old.name.clone())));
}

fn add_file(host: &mut Host, path: &Path, declared: FileDeclarations, default: Option<&Path>) {
    host.templates.extend(
        declared
            .templates
            .into_iter()
            .map(|template| DeclaredTemplate {
                secrets: template.secrets,
                path: format!("/run/secrets/rendered/{}", template.name),
                name: template.name,
            }),
    );
    host.notes
        .extend(declared.unread.iter().map(|left| unread_note(path, left)));
    for secret in declared.secrets {
        let problem = secret.unread.first().map(|left| unread_note(path, left));
        let parsed = problem.map_or_else(|| to_declaration(&secret, path, default), Err);
        match parsed {
            Ok((declaration, note)) => {
                host.declarations.push(declaration);
                host.notes.extend(note);
            }
            Err(problem) => host.unread.push((secret.name, problem)),
        }
    }
}

fn unread_note(path: &Path, left: &Left) -> String {
    format!(
        "{}:{}: `{}` stays: {}",
        path.display(),
        left.line,
        left.text,
        left.reason
    )
}

/// Converts the declaration, with a note if a part of it is unknown.
fn to_declaration(
    secret: &nix_text::Declaration,
    path: &Path,
    default: Option<&Path>,
) -> Result<(Declaration, Option<String>), String> {
    let attributes = Attributes {
        path,
        secret,
        all: &secret.attributes,
    };
    let name = attributes
        .text("name")?
        .unwrap_or_else(|| secret.name.clone());
    let (file, content, directory) = source_of(&attributes, default)?;
    let file =
        file.ok_or_else(|| attributes.problem("its encrypted file is not in these files"))?;
    let owner = attributes.text("owner")?.unwrap_or_else(|| "root".into());
    let group = attributes.text("group")?;
    let default_path = format!("{directory}/{name}");
    let given_path = attributes.text("path")?;
    let is_owned = owner != "root" && group.is_none();
    let note = is_owned.then(|| {
        attributes.note(&format!(
            "its group is that of `{owner}`; add `group` to the new declaration"
        ))
    });
    let declaration = Declaration {
        tool: secret.tool,
        name: secret.name.clone(),
        file,
        content,
        owner,
        group: group.unwrap_or_else(|| "root".into()),
        mode: attributes.text("mode")?.unwrap_or_else(|| "0400".into()),
        is_linked: given_path
            .as_ref()
            .is_some_and(|given| *given != default_path),
        path: given_path.unwrap_or(default_path),
        restart_units: attributes.texts("restartUnits")?,
        reload_units: attributes.texts("reloadUnits")?,
        readers: Vec::new(),
        needed_early: attributes.is_set("neededForUsers")?,
    };
    Ok((declaration, note))
}

/// Returns the encrypted file, the part of it that is the value, and the tool's directory.
fn source_of(
    attributes: &Attributes<'_>,
    default: Option<&Path>,
) -> Result<(Option<PathBuf>, Content, &'static str), String> {
    if attributes.secret.tool == Tool::Agenix {
        return Ok((attributes.file("file")?, Content::Age, "/run/agenix"));
    }
    let format = attributes.text("format")?.unwrap_or_else(|| "yaml".into());
    let key = attributes.text("key")?;
    let key = key.unwrap_or_else(|| attributes.secret.name.clone());
    let file = attributes.file("sopsFile")?;
    let file = file.or(default.map(Path::to_owned));
    Ok((file, Content::of_sops(&format, &key), "/run/secrets"))
}

/// The attributes of a declaration.
struct Attributes<'a> {
    path: &'a Path,
    secret: &'a nix_text::Declaration,
    all: &'a BTreeMap<String, Attribute>,
}

impl Attributes<'_> {
    fn text(&self, name: &str) -> Result<Option<String>, String> {
        match self.all.get(name).map(|attribute| &attribute.value) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.expression(name)),
        }
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        match self.all.get(name).map(|attribute| &attribute.value) {
            None => Ok(Vec::new()),
            Some(Value::Texts(texts)) => Ok(texts.clone()),
            Some(_) => Err(self.expression(name)),
        }
    }

    fn is_set(&self, name: &str) -> Result<bool, String> {
        match self.all.get(name).map(|attribute| &attribute.value) {
            None => Ok(false),
            Some(Value::Bool(is_set)) => Ok(*is_set),
            Some(_) => Err(self.expression(name)),
        }
    }

    fn file(&self, name: &str) -> Result<Option<PathBuf>, String> {
        let Some(attribute) = self.all.get(name) else {
            return Ok(None);
        };
        let file = file_of(&attribute.value, self.path);
        file.map(Some).ok_or_else(|| self.expression(name))
    }

    fn expression(&self, name: &str) -> String {
        self.problem(&format!(
            "`{name}` is an expression, which only Nix can evaluate"
        ))
    }

    fn problem(&self, reason: &str) -> String {
        self.note(&format!("it stays: {reason}"))
    }

    fn note(&self, text: &str) -> String {
        let option = self.secret.tool.option();
        let name = attribute_name(&self.secret.name);
        let (path, line) = (self.path.display(), self.secret.line);
        format!("{path}:{line}: {option}.secrets.{name}: {text}")
    }
}

/// Returns the file of a value in a Nix file: a path is relative to that.
fn file_of(value: &Value, nix_file: &Path) -> Option<PathBuf> {
    match value {
        Value::Path(path) => {
            let folder = nix_file.parent().unwrap_or(Path::new(""));
            Some(without_dots(&folder.join(path)))
        }
        Value::Text(path) if path.starts_with('/') => Some(path.into()),
        _ => None,
    }
}
