//! What a flake says about its hosts.

use rnix::SyntaxNode;

use super::parse::range;

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
    pub(super) fn no_flake(node: &SyntaxNode, what: &str) -> Self {
        let mut found = Self::obstacle(node, &[], what);
        found
            .obstacles
            .iter_mut()
            .for_each(|obstacle| obstacle.prefix = None);
        found
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sites.is_empty() && self.obstacles.is_empty()
    }

    pub(super) fn append(&mut self, other: Self) {
        let is_new = |host: &Host| {
            self.hosts
                .iter()
                .all(|there| there.attribute != host.attribute)
        };
        let hosts: Vec<Host> = other.hosts.into_iter().filter(is_new).collect();
        self.hosts.extend(hosts);
        for site in other.sites {
            self.site(&site.container, site.dotted);
        }
        self.obstacles.extend(other.obstacles);
    }

    pub(super) fn obstacle(node: &SyntaxNode, path: &[&str], what: impl Into<String>) -> Self {
        let prefix = path.iter().flat_map(|name| [name, "."]).collect();
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

    pub(super) fn site(&mut self, container: &SyntaxNode, dotted: bool) {
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
