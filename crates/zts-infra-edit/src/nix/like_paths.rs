//! The path of a new host's file, where the others have files of other names than theirs.

use rnix::SyntaxKind;

use super::folders::is_folder_of_others;
use super::members::Peer;

/// Returns the path of a new host in place of that of `base`, where those of most other hosts are
/// the same but for one part: `./pi/configuration.nix` and `./work/configuration.nix`.
pub(super) fn path_like_others(base: &Peer<'_>, peers: &[Peer<'_>], name: &str) -> Option<String> {
    let own = base.node.to_string();
    if is_folder_of_others(&own) {
        return None;
    }
    let parts: Vec<&str> = own.split('/').collect();
    let differs_at = |path: &str| {
        let others: Vec<&str> = path.split('/').collect();
        let mut places = (0..parts.len()).filter(|place| parts[*place] != others[*place]);
        let place = places.next()?;
        places.next().is_none().then_some(place)
    };
    let paths_of = |peer: &Peer<'_>| {
        let nodes = peer.node.descendants();
        let paths = nodes.filter(|node| node.kind() == SyntaxKind::NODE_PATH_REL);
        let paths = paths.map(|node| node.to_string());
        let of_length = paths.filter(|path| path.split('/').count() == parts.len());
        of_length.filter_map(|path| differs_at(&path)).collect()
    };
    let places: Vec<Vec<usize>> = peers.iter().map(paths_of).collect();
    let count = |place: &usize| places.iter().filter(|list| list.contains(place)).count();
    // the host itself has no other path
    let place =
        (1..parts.len()).find(|place| (count(place) + 1) * 2 > peers.len() && count(place) > 0)?;
    let extension = parts[place].strip_suffix(".nix").map_or("", |_| ".nix");
    let is_last = place + 1 == parts.len();
    if is_last && extension.is_empty() {
        return None; // a folder of any kind
    }
    let new = format!("{name}{extension}");
    let mut parts = parts.clone();
    parts[place] = &new;
    Some(parts.join("/"))
}
