//! The hosts of a flake, and the sets that take new ones.

use rnix::SyntaxNode;

use super::parse::node_range;
use crate::vms::MapPlace;

/// A host in the source.
#[derive(Debug, Clone)]
pub(super) struct HostEntry {
    pub(super) name: String,
    /// The whole entry: `web01 = …;`, `nixosConfigurations.web01 = …;` or `inherit (x) web01;`.
    pub(super) entry: SyntaxNode,
    /// The attribute that is the name.
    pub(super) attribute: SyntaxNode,
    /// The value; `None` if it is inherited or given in parts (`web01.config = …`).
    pub(super) value: Option<SyntaxNode>,
    /// The set or `let` of the entry.
    pub(super) container: SyntaxNode,
}

/// The notation of hosts in a set or list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SetKind {
    /// Names as attributes.
    Plain,
    /// Names behind a path (`nixosConfigurations.web01 = …`).
    Dotted,
    /// Elements of a list: names, or sets and calls with a name.
    List,
}

/// A set, `let` or list with hosts.
#[derive(Debug, Clone)]
pub(super) struct HostSet {
    pub(super) container: SyntaxNode,
    pub(super) kind: SetKind,
    /// True if a function makes the hosts of these entries, so that the entries are not
    /// configurations.
    pub(super) is_argument: bool,
}

impl HostSet {
    pub(super) fn is_dotted(&self) -> bool {
        self.kind == SetKind::Dotted
    }
}

/// A part of the flake that may define hosts, but cannot be read or edited.
#[derive(Debug, Clone)]
pub(super) struct Obstacle {
    /// The expression that cannot be read.
    pub(super) node: SyntaxNode,
    /// The reason.
    pub(super) reason: String,
    /// The path of the hosts in its value: empty, or such as `nixosConfigurations.`; `None` if it
    /// has none.
    pub(super) prefix: Option<String>,
}

/// The set for the first host of a flake without hosts.
#[derive(Debug, Clone)]
pub(super) struct FirstHostSet {
    pub(super) container: SyntaxNode,
    /// The text before the name, such as `nixosConfigurations.`.
    pub(super) prefix: String,
}

/// The hosts in a map of a file of data.
#[derive(Clone, Debug)]
pub(super) struct DataHosts {
    /// The path of the file from the fleet's root.
    pub(super) file: String,
    pub(super) place: MapPlace,
    pub(super) names: Vec<String>,
    /// The words that the flake selects the entries by.
    pub(super) words: Vec<String>,
}

/// The hosts of a flake, and the parts of it that can or cannot take new ones.
#[derive(Debug, Clone, Default)]
pub(super) struct FlakeHosts {
    pub(super) hosts: Vec<HostEntry>,
    pub(super) sets: Vec<HostSet>,
    pub(super) obstacles: Vec<Obstacle>,
    pub(super) first_host_set: Option<FirstHostSet>,
    /// The hosts in files of data.
    pub(super) data: Vec<DataHosts>,
}

impl FlakeHosts {
    /// Returns the result for a file that is not a flake.
    pub(super) fn not_a_flake(node: &SyntaxNode, reason: &str) -> Self {
        let mut hosts = Self::with_obstacle(node, &[], reason);
        hosts
            .obstacles
            .iter_mut()
            .for_each(|obstacle| obstacle.prefix = None);
        hosts
    }

    /// Returns the result for an expression that is one host.
    pub(super) fn of_one(name: String, entry: &SyntaxNode, attribute: SyntaxNode) -> Self {
        let mut found = Self::default();
        found.add_set(entry, SetKind::List);
        found.hosts.push(HostEntry {
            name,
            entry: entry.clone(),
            attribute,
            value: Some(entry.clone()),
            container: entry.clone(),
        });
        found
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.obstacles.is_empty() && self.data.is_empty()
    }

    /// Returns the names of all hosts, each once.
    pub(super) fn names(&self) -> Vec<String> {
        let in_sets = self.hosts.iter().map(|host| &host.name);
        let in_data = self.data.iter().flat_map(|data| &data.names);
        let mut names: Vec<String> = Vec::new();
        for name in in_sets.chain(in_data) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    pub(super) fn append(&mut self, other: Self) {
        let is_new = |host: &HostEntry| {
            self.hosts
                .iter()
                .all(|known| known.attribute != host.attribute)
        };
        let hosts: Vec<HostEntry> = other.hosts.into_iter().filter(is_new).collect();
        self.hosts.extend(hosts);
        for set in other.sets {
            if !self.has_set(&set.container, set.kind) {
                self.sets.push(set);
            }
        }
        self.obstacles.extend(other.obstacles);
        self.data.extend(other.data);
    }

    /// Returns the result for an expression that cannot be read; `path` is the path of the hosts in
    /// its value.
    pub(super) fn with_obstacle(
        node: &SyntaxNode,
        path: &[&str],
        reason: impl Into<String>,
    ) -> Self {
        let prefix = path.iter().flat_map(|name| [name, "."]).collect();
        let obstacle = Obstacle {
            node: node.clone(),
            reason: reason.into(),
            prefix: Some(prefix),
        };
        Self {
            obstacles: vec![obstacle],
            ..Self::default()
        }
    }

    /// Returns the result for a call whose function computes the hosts.
    pub(super) fn computed_by(call: &SyntaxNode, function: &str, path: &[&str]) -> Self {
        Self::with_obstacle(call, path, format!("it is computed by `{function}`"))
    }

    fn has_set(&self, container: &SyntaxNode, kind: SetKind) -> bool {
        self.sets
            .iter()
            .any(|set| set.container == *container && set.kind == kind)
    }

    pub(super) fn add_set(&mut self, container: &SyntaxNode, kind: SetKind) {
        if !self.has_set(container, kind) {
            self.sets.push(HostSet {
                container: container.clone(),
                kind,
                is_argument: false,
            });
        }
    }

    /// Removes the sets without hosts.
    pub(super) fn keep_sets_with_hosts(&mut self) {
        let hosts = &self.hosts;
        self.sets
            .retain(|set| hosts.iter().any(|host| host.container == set.container));
    }

    /// Marks the sets as arguments of a function.
    pub(super) fn into_argument(mut self) -> Self {
        for set in &mut self.sets {
            set.is_argument = true;
        }
        self
    }

    /// Returns the first host of this name.
    pub(super) fn find_host(&self, name: &str) -> Option<&HostEntry> {
        self.hosts.iter().find(|host| host.name == name)
    }

    /// Returns the set for a new host: the one with most hosts, or the last one with hosts, or else
    /// the last one. With a given value, sets of configurations come before arguments of functions.
    pub(super) fn choose_set(&self, has_value: bool) -> Option<&HostSet> {
        let count = |set: &HostSet| {
            let hosts = self.hosts.iter();
            hosts.filter(|host| host.container == set.container).count()
        };
        self.sets.iter().max_by_key(|set| {
            let is_direct = !(has_value && set.is_argument);
            let start = node_range(&set.container).start;
            let is_of_most = !set.is_dotted() && count(set) * 2 > self.hosts.len();
            (is_direct, is_of_most, count(set) > 0, start)
        })
    }
}
