//! Finds `nixosConfigurations` in a flake: where hosts stand, and where one more can go.

use rnix::ast::{self, BinOpKind};
use rnix::{SyntaxKind, SyntaxNode};

use super::parse::{cast, node, range};
use super::scope::{self, Binding};
use super::{apply, name};

/// How many variables are followed before a definition counts as going round in circles.
const MAX_DEPTH: usize = 32;

pub(super) const CONFIGURATIONS: &str = "nixosConfigurations";

/// A host found in the source.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) name: String,
    /// The whole entry: `web01 = …;`, `nixosConfigurations.web01 = …;` or `inherit (x) web01;`.
    pub(super) entry: SyntaxNode,
    /// The attribute that is the name.
    pub(super) attribute: SyntaxNode,
    /// The value; `None` where it is inherited, or given in pieces (`web01.config = …`).
    pub(super) value: Option<SyntaxNode>,
    /// The set or `let` that holds the entry.
    pub(super) container: SyntaxNode,
}

/// A set or `let` that hosts stand in.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) container: SyntaxNode,
    /// Whether the names come after a path (`nixosConfigurations.web01 = …`).
    pub(super) dotted: bool,
}

/// Something that hosts may come from but that cannot be read or edited.
#[derive(Debug, Clone)]
pub(super) struct Obstacle {
    /// The expression that cannot be read.
    pub(super) node: SyntaxNode,
    /// Why not.
    pub(super) what: String,
    /// Where in its value the hosts would stand: nothing, or such as `nixosConfigurations.`; `None` if nowhere.
    pub(super) prefix: Option<String>,
}

/// A set that takes the first host of a flake that has none.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    pub(super) container: SyntaxNode,
    /// What stands before the name, such as `nixosConfigurations.`.
    pub(super) prefix: String,
}

/// All that a flake says about its hosts.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) hosts: Vec<Host>,
    pub(super) sites: Vec<Site>,
    pub(super) obstacles: Vec<Obstacle>,
    pub(super) opening: Option<Opening>,
}

impl Found {
    /// A file that is no flake at all.
    fn no_flake(node: &SyntaxNode, what: &str) -> Self {
        let mut found = Self::obstacle(node, &[], what);
        found
            .obstacles
            .iter_mut()
            .for_each(|obstacle| obstacle.prefix = None);
        found
    }

    fn is_empty(&self) -> bool {
        self.sites.is_empty() && self.obstacles.is_empty()
    }

    fn append(&mut self, mut other: Self) {
        self.hosts.append(&mut other.hosts);
        self.sites.append(&mut other.sites);
        self.obstacles.append(&mut other.obstacles);
    }

    fn obstacle(node: &SyntaxNode, path: &[&str], what: impl Into<String>) -> Self {
        let prefix = path.iter().map(|name| format!("{name}.")).collect();
        let obstacle = Obstacle {
            node: node.clone(),
            what: what.into(),
            prefix: Some(prefix),
        };
        Self {
            obstacles: vec![obstacle],
            ..Self::default()
        }
    }

    fn site(&mut self, container: &SyntaxNode, dotted: bool) {
        if !self
            .sites
            .iter()
            .any(|site| site.container == *container && site.dotted == dotted)
        {
            self.sites.push(Site {
                container: container.clone(),
                dotted,
            });
        }
    }
}

/// Reads the flake whose root is given.
pub(super) fn locate(root: &SyntaxNode) -> Found {
    let Some(flake) = cast::<ast::Root>(root)
        .and_then(|root| root.expr())
        .map(|flake| peel(&flake))
    else {
        return Found::no_flake(root, "the file holds no expression");
    };
    let outputs = scope::entries(&node(&flake))
        .into_iter()
        .find_map(|entry| match entry {
            ast::Entry::AttrpathValue(entry) => {
                let path = scope::path(&entry);
                let is_outputs = path.len() == 1 && path[0].0.as_deref() == Some("outputs");
                entry.value().filter(|_| is_outputs)
            }
            ast::Entry::Inherit(_) => None,
        });
    match outputs {
        Some(outputs) => in_outputs(&outputs, 0),
        None => Found::no_flake(&node(&flake), "this is not a flake: it has no `outputs`"),
    }
}

/// Looks through what the function `outputs` gives.
fn in_outputs(outputs: &ast::Expr, depth: usize) -> Found {
    let body = function_body(outputs);
    let here = node(&body);
    let obstacle = |what: String| Found::obstacle(&here, &[CONFIGURATIONS], what);
    if let (true, Some((left, right))) = (depth < MAX_DEPTH, update(&body)) {
        return in_union(&left, &right, depth + 1);
    }
    match &body {
        ast::Expr::AttrSet(_) => in_set(&here, &[CONFIGURATIONS]),
        ast::Expr::Ident(variable) => {
            let found = search(&body, &[CONFIGURATIONS], depth);
            if found.is_empty() {
                obstacle(format!("the outputs come from `{variable}`"))
            } else {
                found
            }
        }
        ast::Expr::Apply(call) => {
            match apply::flake_parts_module(call).map(|module| function_body(&module)) {
                Some(module @ ast::Expr::AttrSet(_)) => in_flake_parts(&node(&module)),
                _ => obstacle(format!(
                    "the outputs are computed by `{}`",
                    apply::function_text(call)
                )),
            }
        }
        _ => obstacle("the outputs are computed, not written as a set".to_owned()),
    }
}

/// Of two sets of outputs, the right one wins if it has the hosts.
fn in_union(left: &ast::Expr, right: &ast::Expr, depth: usize) -> Found {
    let [mut on_left, on_right] = [left, right].map(|side| in_outputs(side, depth));
    let says = |found: &Found, side: &ast::Expr| {
        !found.sites.is_empty()
            || (!found.obstacles.is_empty() && mentions(&node(side), CONFIGURATIONS))
    };
    if says(&on_right, right) {
        return on_right;
    }
    if says(&on_left, left) {
        return on_left;
    }
    // A first host may shadow, or be shadowed by, what a computed side makes: only written sets can take it.
    if on_left.obstacles.is_empty() {
        return on_right;
    }
    on_left.opening = None;
    on_left
}

/// The set of outputs itself.
fn in_set(set: &SyntaxNode, path: &[&str]) -> Found {
    let mut found = search_entries(set, path, 0);
    if found.is_empty() {
        found.opening = Some(Opening {
            container: set.clone(),
            prefix: format!("{}.", path.join(".")),
        });
    }
    found
}

/// A module of flake-parts, whose option `flake` holds the outputs.
fn in_flake_parts(module: &SyntaxNode) -> Found {
    let found = in_set(module, &["flake", CONFIGURATIONS]);
    if found.opening.is_none() {
        return found;
    }
    let flake = search_entries(module, &["flake"], 0);
    let Some(set) = flake.sites.iter().find(|site| !site.dotted) else {
        return if flake.obstacles.is_empty() {
            found
        } else {
            Found {
                hosts: Vec::new(),
                ..flake
            }
        };
    };
    let opening = Opening {
        container: set.container.clone(),
        prefix: format!("{CONFIGURATIONS}."),
    };
    Found {
        opening: Some(opening),
        ..Found::default()
    }
}

/// Finds the set at `path` in the value `expression`.
fn search(expression: &ast::Expr, path: &[&str], depth: usize) -> Found {
    let expression = peel(expression);
    let here = node(&expression);
    if depth > MAX_DEPTH {
        return Found::obstacle(&here, path, "it is defined by itself");
    }
    if let Some((left, right)) = update(&expression) {
        return search_union(&left, &right, path, depth + 1);
    }
    match &expression {
        ast::Expr::AttrSet(_) => search_entries(&here, path, depth),
        ast::Expr::Ident(variable) => search_variable(&variable.to_string(), &here, path, depth),
        ast::Expr::Select(select) => search_selection(select, path, depth),
        ast::Expr::Apply(call) => Found::obstacle(
            &here,
            path,
            format!("it is computed by `{}`", apply::function_text(call)),
        ),
        ast::Expr::IfElse(_) => Found::obstacle(&here, path, "it is chosen by an `if`"),
        _ => Found::obstacle(&here, path, "it is computed, not written as a set"),
    }
}

/// Both sides of `//` hold hosts; but of a set further out only the right side counts, if it has the path.
fn search_union(left: &ast::Expr, right: &ast::Expr, path: &[&str], depth: usize) -> Found {
    let on_right = search(right, path, depth);
    let mut on_left = search(left, path, depth);
    if let Some(first) = path.first() {
        let computed = !on_right.obstacles.is_empty();
        if !on_right.sites.is_empty() || (computed && mentions(&node(right), first)) {
            return on_right;
        }
        if !on_left.sites.is_empty() {
            return on_left;
        }
    }
    on_left.append(on_right);
    on_left
}

fn search_variable(variable: &str, place: &SyntaxNode, path: &[&str], depth: usize) -> Found {
    match scope::resolve(variable, place) {
        Binding::Entry(container) => {
            search_entries(&container, &[&[variable], path].concat(), depth + 1)
        }
        Binding::Argument => Found::obstacle(
            place,
            path,
            format!("it comes from the argument `{variable}`"),
        ),
        Binding::Unknown => Found::obstacle(
            place,
            path,
            format!("it comes from `{variable}`, which this file does not define"),
        ),
    }
}

/// `hosts.servers`, where the file defines `hosts`.
fn search_selection(select: &ast::Select, path: &[&str], depth: usize) -> Found {
    let here = node(select);
    let attributes = select.attrpath().into_iter().flat_map(|path| path.attrs());
    let names: Option<Vec<String>> = attributes.map(|attribute| name::read(&attribute)).collect();
    let set = select.expr().filter(|_| select.default_expr().is_none());
    if let (Some(set), Some(names)) = (set, names) {
        let names = names.iter().map(String::as_str).chain(path.iter().copied());
        let found = search(&set, &names.collect::<Vec<_>>(), depth + 1);
        let inside =
            |obstacle: &Obstacle| obstacle.node.ancestors().any(|ancestor| ancestor == here);
        if !found.is_empty() && !found.obstacles.iter().any(inside) {
            return found;
        }
    }
    Found::obstacle(&here, path, format!("it comes from `{select}`"))
}

/// Finds the set at `path` among the entries of a set or `let`; with an empty path, the container is that set.
fn search_entries(container: &SyntaxNode, path: &[&str], depth: usize) -> Found {
    let mut found = Found::default();
    if path.is_empty() {
        found.site(container, false);
    }
    for entry in scope::entries(container) {
        match entry {
            ast::Entry::AttrpathValue(entry) => {
                search_entry(&entry, container, path, depth, &mut found);
            }
            ast::Entry::Inherit(inherit) => {
                search_inherit(&inherit, container, path, depth, &mut found);
            }
        }
    }
    found
}

fn search_entry(
    entry: &ast::AttrpathValue,
    container: &SyntaxNode,
    path: &[&str],
    depth: usize,
    found: &mut Found,
) {
    let attributes = scope::path(entry);
    let common = attributes.len().min(path.len());
    let same = attributes
        .iter()
        .zip(path)
        .all(|((name, _), wanted)| name.as_deref() == Some(*wanted));
    let Some(value) = entry.value().filter(|_| same) else {
        return;
    };
    if attributes.len() <= path.len() {
        found.append(search(&value, &path[common..], depth + 1));
        return;
    }
    if !path.is_empty() {
        found.site(container, true);
    }
    let (name, attribute) = attributes[common].clone();
    let Some(name) = name else { return };
    found.hosts.push(Host {
        name,
        entry: node(entry),
        attribute,
        value: (attributes.len() == common + 1).then(|| node(&value)),
        container: container.clone(),
    });
}

fn search_inherit(
    inherit: &ast::Inherit,
    container: &SyntaxNode,
    path: &[&str],
    depth: usize,
    found: &mut Found,
) {
    for attribute in inherit.attrs() {
        let Some(name) = name::read(&attribute) else {
            continue;
        };
        match path {
            [] => found.hosts.push(Host {
                name,
                entry: node(inherit),
                attribute: node(&attribute),
                value: None,
                container: container.clone(),
            }),
            [first, rest @ ..] if name == *first => {
                found.append(match inherit.from().and_then(|from| from.expr()) {
                    Some(from) => search(&from, path, depth + 1),
                    // Seen from outside the set, so that a `rec` set does not find itself.
                    None => match container.parent() {
                        Some(outside) => search_variable(&name, &outside, rest, depth),
                        None => {
                            Found::obstacle(&node(inherit), rest, "it is inherited from nowhere")
                        }
                    },
                });
            }
            _ => {}
        }
    }
}

/// The expression inside parentheses, `let … in`, `with …;` and `assert …;`.
fn peel(expression: &ast::Expr) -> ast::Expr {
    let mut inner = expression.clone();
    while let Some(next) = match &inner {
        ast::Expr::Paren(paren) => paren.expr(),
        ast::Expr::LetIn(let_in) => let_in.body(),
        ast::Expr::With(with) => with.body(),
        ast::Expr::Assert(assert) => assert.body(),
        _ => None,
    } {
        inner = next;
    }
    inner
}

/// The body of a function of any number of arguments, peeled.
fn function_body(expression: &ast::Expr) -> ast::Expr {
    let mut inner = peel(expression);
    while let ast::Expr::Lambda(lambda) = &inner {
        let Some(body) = lambda.body() else { break };
        inner = peel(&body);
    }
    inner
}

fn update(expression: &ast::Expr) -> Option<(ast::Expr, ast::Expr)> {
    match expression {
        ast::Expr::BinOp(operation) if operation.operator() == Some(BinOpKind::Update) => {
            Some((operation.lhs()?, operation.rhs()?))
        }
        _ => None,
    }
}

/// Whether `name` stands anywhere in `node`, as a variable, an attribute or a whole string.
pub(super) fn mentions(node: &SyntaxNode, name: &str) -> bool {
    node.descendants_with_tokens()
        .filter_map(rnix::NodeOrToken::into_token)
        .any(|token| token.text() == name && token.kind() != SyntaxKind::TOKEN_COMMENT)
}

impl Found {
    /// The first host of this name.
    pub(super) fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name == name)
    }

    /// The site that takes a new host: the last one in the file that has hosts, or else the last one.
    pub(super) fn last_site(&self) -> Option<&Site> {
        let has_hosts = |site: &&Site| {
            self.hosts
                .iter()
                .any(|host| host.container == site.container)
        };
        let start = |site: &&Site| range(&site.container).start;
        let with_hosts = self.sites.iter().filter(has_hosts).max_by_key(start);
        with_hosts.or_else(|| self.sites.iter().max_by_key(start))
    }
}
