//! The hosts of a flake, and the sets that take new ones.

use rnix::SyntaxNode;

use super::parse::node_range;

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

/// A set or `let` with hosts.
#[derive(Debug, Clone)]
pub(super) struct HostSet {
    pub(super) container: SyntaxNode,
    /// True if a path precedes the names (`nixosConfigurations.web01 = …`).
    pub(super) dotted: bool,
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

/// The hosts of a flake, and the parts of it that can or cannot take new ones.
#[derive(Debug, Default)]
pub(super) struct FlakeHosts {
    pub(super) hosts: Vec<HostEntry>,
    pub(super) sets: Vec<HostSet>,
    pub(super) obstacles: Vec<Obstacle>,
    pub(super) first_host_set: Option<FirstHostSet>,
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

    pub(super) fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.obstacles.is_empty()
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
            self.add_set(&set.container, set.dotted);
        }
        self.obstacles.extend(other.obstacles);
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

    pub(super) fn add_set(&mut self, container: &SyntaxNode, dotted: bool) {
        if !self
            .sets
            .iter()
            .any(|set| set.container == *container && set.dotted == dotted)
        {
            self.sets.push(HostSet {
                container: container.clone(),
                dotted,
            });
        }
    }

    /// Returns the first host of this name.
    pub(super) fn find_host(&self, name: &str) -> Option<&HostEntry> {
        self.hosts.iter().find(|host| host.name == name)
    }

    /// Returns the set for a new host: the last one in the file with hosts, or else the last one.
    pub(super) fn last_set(&self) -> Option<&HostSet> {
        let has_hosts = |set: &&HostSet| {
            self.hosts
                .iter()
                .any(|host| host.container == set.container)
        };
        let start = |set: &&HostSet| node_range(&set.container).start;
        let with_hosts = self.sets.iter().filter(has_hosts).max_by_key(start);
        with_hosts.or_else(|| self.sets.iter().max_by_key(start))
    }
}
