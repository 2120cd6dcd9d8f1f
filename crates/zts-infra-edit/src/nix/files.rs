//! The files of a fleet that a search reads.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use rnix::SyntaxNode;
use rnix::ast;

use super::expression::inner_expression;
use super::parse::{cast, parse_source};
use super::paths::{paths_of_flake, resolve_path};
use super::scope::{Binding, resolve_variable, value_of};
use crate::error::Error;

/// A reader of the files of a fleet. Paths are relative to its root, with `/` between the parts.
pub trait FleetFiles {
    /// Returns the text of a file; `None` if there is no such file.
    fn read(&self, path: &str) -> Option<String>;

    /// Returns the names in a folder, those of folders with a final `/`; the root is the empty
    /// path.
    fn list(&self, folder: &str) -> Vec<String>;
}

/// A fleet with one file.
pub(super) struct SingleFile<'a>(pub(super) &'a str);

impl SingleFile<'_> {
    pub(super) const PATH: &'static str = "flake.nix";
}

impl FleetFiles for SingleFile<'_> {
    fn read(&self, path: &str) -> Option<String> {
        (path == Self::PATH).then(|| self.0.to_owned())
    }

    fn list(&self, _folder: &str) -> Vec<String> {
        Vec::new()
    }
}

/// A fleet with edited files.
pub(super) struct Overlay<'a> {
    pub(super) below: &'a dyn FleetFiles,
    pub(super) edits: BTreeMap<String, String>,
}

impl FleetFiles for Overlay<'_> {
    fn read(&self, path: &str) -> Option<String> {
        let edited = self.edits.get(path).cloned();
        edited.or_else(|| self.below.read(path))
    }

    fn list(&self, folder: &str) -> Vec<String> {
        self.below.list(folder)
    }
}

/// A parsed file.
#[derive(Debug)]
pub(super) struct SourceFile {
    pub(super) path: String,
    pub(super) text: String,
    pub(super) root: SyntaxNode,
}

/// The limit of files that one search parses.
const MAX_FILES: usize = 500;

/// The parsed files of one search.
pub(super) struct Sources<'a> {
    pub(super) files: &'a dyn FleetFiles,
    parsed: RefCell<Vec<Rc<SourceFile>>>,
    /// The paths of all Nix files, once they are listed.
    paths: OnceCell<Vec<String>>,
    /// All Nix files with their texts, once they are searched for a word.
    texts: OnceCell<Vec<(String, String)>>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(files: &'a dyn FleetFiles) -> Self {
        Self {
            files,
            parsed: RefCell::default(),
            paths: OnceCell::new(),
            texts: OnceCell::new(),
        }
    }

    /// Parses a file; `None` if there is no such file.
    pub(super) fn open(&self, path: &str) -> Option<Result<Rc<SourceFile>, Error>> {
        let known = self
            .parsed
            .borrow()
            .iter()
            .find(|file| file.path == path)
            .cloned();
        if known.is_some() {
            return known.map(Ok);
        }
        if self.parsed.borrow().len() >= MAX_FILES {
            return None;
        }
        let text = self.files.read(path)?;
        Some(parse_source(&text).map(|root| {
            let path = path.to_owned();
            let file = Rc::new(SourceFile { path, text, root });
            self.parsed.borrow_mut().push(Rc::clone(&file));
            file
        }))
    }

    /// Returns the file of a node.
    pub(super) fn file_of(&self, node: &SyntaxNode) -> Option<Rc<SourceFile>> {
        let root = node.ancestors().last()?;
        self.parsed
            .borrow()
            .iter()
            .find(|file| file.root == root)
            .cloned()
    }

    /// Returns all parsed files.
    pub(super) fn parsed(&self) -> Vec<Rc<SourceFile>> {
        self.parsed.borrow().clone()
    }

    /// Returns the paths of all Nix files of the fleet.
    pub(super) fn paths(&self) -> &[String] {
        self.paths.get_or_init(|| {
            let mut paths = Vec::new();
            list_nix_files(self.files, "", &mut paths);
            paths
        })
    }

    /// Parses the Nix files of the fleet that have a word.
    pub(super) fn files_with(&self, word: &str) -> Vec<Rc<SourceFile>> {
        self.files_that(|text| text.contains(word))
    }

    /// Parses the Nix files of the fleet whose text is wanted.
    pub(super) fn files_that(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<Rc<SourceFile>> {
        let texts = self.texts.get_or_init(|| {
            let read = |path: &String| Some((path.clone(), self.files.read(path)?));
            self.paths().iter().filter_map(read).collect()
        });
        let files = texts.iter().filter(|(_, text)| is_wanted(text));
        let opened = files.filter_map(|(path, _)| self.open(path));
        opened.filter_map(Result::ok).collect()
    }

    /// Parses the file that `import` reads at a literal path: the file itself, or `default.nix` of
    /// the folder.
    pub(super) fn open_import(&self, path: &ast::Expr) -> Option<Result<Rc<SourceFile>, Error>> {
        let path = self.literal_path(path)?;
        let inner = join_path(&path, "default.nix");
        self.open(&path).or_else(|| self.open(&inner))
    }

    /// Returns a literal path of the source, from the fleet's root: a relative one, or one behind
    /// the flake itself.
    pub(super) fn literal_path(&self, path: &ast::Expr) -> Option<String> {
        let node = super::parse::untyped(path);
        let file = self.file_of(&node)?;
        let text = node.to_string();
        match path {
            ast::Expr::PathRel(_) if node.children().next().is_none() => {
                resolve_path(&file.path, &text)
            }
            ast::Expr::Str(_) | ast::Expr::BinOp(_) | ast::Expr::Paren(_) => {
                let mut paths = paths_of_flake(&text);
                let only = paths.pop().filter(|_| paths.is_empty());
                only.or_else(|| self.path_of_sum(path))
            }
            _ => None,
        }
    }
}

impl Sources<'_> {
    /// Returns the path of a sum of a variable and a literal: `root + /hosts` with `root = ./.`.
    fn path_of_sum(&self, path: &ast::Expr) -> Option<String> {
        let ast::Expr::BinOp(sum) = inner_expression(path) else {
            return None;
        };
        let (ast::Expr::Ident(variable), right) = (sum.lhs()?, sum.rhs()?) else {
            return None;
        };
        let name = variable.to_string();
        let Binding::Entry(scope) = resolve_variable(&name, &super::parse::untyped(&variable))
        else {
            return None;
        };
        let ast::Expr::PathRel(root) = value_of(&scope, &name)? else {
            return None;
        };
        let root = self.literal_path(&ast::Expr::PathRel(root))?;
        let right = super::parse::untyped(&right).to_string();
        let right = right.trim_matches('"').strip_prefix('/')?;
        (!right.contains("${")).then(|| join_path(&root, right))
    }
}

/// Collects the paths of the Nix files below a folder.
pub(super) fn list_nix_files(files: &dyn FleetFiles, folder: &str, paths: &mut Vec<String>) {
    const MAX_PATHS: usize = 5000;
    for name in files.list(folder) {
        if paths.len() >= MAX_PATHS || name.starts_with('.') {
            continue;
        }
        match name.strip_suffix('/') {
            Some(inner) => list_nix_files(files, &join_path(folder, inner), paths),
            None if is_nix_file(&name) => paths.push(join_path(folder, &name)),
            None => {}
        }
    }
}

/// Returns the path of `name` in `folder`.
pub(super) fn join_path(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// Returns the expression of a file.
pub(super) fn file_expression(file: &SourceFile) -> Option<ast::Expr> {
    cast::<ast::Root>(&file.root)?.expr()
}

/// Returns whether a file is a source of Nix by its name.
pub fn is_nix_file(name: &str) -> bool {
    std::path::Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "nix")
}
