//! The paths of the fleet's files in a text.

/// Returns `relative`, a path in the file `file`, from the fleet's root; `None` outside of it.
pub fn resolve_path(file: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Returns the paths from the fleet's root that a text in the file `file` names, without those with
/// a variable: relative ones, and those behind the flake itself, such as `${self}/hosts/web01` and
/// `self + "/hosts/web01"`.
#[must_use]
pub fn named_paths(text: &str, file: &str) -> Vec<String> {
    let words = text.split(ends_path);
    let relative = words.filter(|word| word.starts_with("./") || word.starts_with("../"));
    let mut paths: Vec<String> = relative
        .filter_map(|word| resolve_path(file, word))
        .collect();
    paths.extend(paths_of_flake(text));
    paths
}

/// Returns the texts in an expression that may be paths from the fleet's root, such as
/// `"hosts/web01"` of `relativeToRoot "hosts/web01"`.
#[must_use]
pub fn text_paths(text: &str) -> Vec<String> {
    let strings = text.split('"').skip(1).step_by(2);
    let is_path = |string: &&str| {
        let is_plain = |letter: char| letter.is_alphanumeric() || "_-./".contains(letter);
        string.contains('/') && !string.starts_with('/') && string.chars().all(is_plain)
    };
    let paths = strings.filter(is_path);
    paths.filter_map(|path| resolve_path("", path)).collect()
}

/// Returns the paths in a text that stand behind the flake itself.
pub(super) fn paths_of_flake(text: &str) -> Vec<String> {
    let starts = text.match_indices('/').map(|(start, _)| start);
    let starts = starts.filter(|start| follows_flake(&text[..*start]));
    let path = |start: usize| {
        let rest = &text[start..];
        let end = rest.find(ends_path).unwrap_or(rest.len());
        let is_literal = !rest[..end].ends_with('$');
        resolve_path("", &rest[..end]).filter(|path| is_literal && !path.is_empty())
    };
    starts.filter_map(path).collect()
}

/// Returns whether a letter ends a path in a text of Nix.
#[must_use]
pub fn ends_path(letter: char) -> bool {
    letter.is_whitespace() || "()[]{};\"".contains(letter)
}

/// Returns whether a text ends with the flake itself in a string, or with a `+` behind it.
fn follows_flake(before: &str) -> bool {
    if let Some(inside) = before.strip_suffix('}') {
        let variable = inside.rsplit_once("${");
        return variable.is_some_and(|(_, variable)| is_flake(variable.trim()));
    }
    let sum = before.strip_suffix('"').unwrap_or(before).trim_end();
    let Some(left) = sum.strip_suffix('+') else {
        return false;
    };
    let is_of_name = |letter: char| letter.is_alphanumeric() || "_-'.".contains(letter);
    let left = left.trim_end();
    let start = left
        .rfind(|letter: char| !is_of_name(letter))
        .map_or(0, |end| end + 1);
    is_flake(&left[start..])
}

/// Returns whether a variable is the flake, or the path of its root.
#[must_use]
pub fn is_flake(variable: &str) -> bool {
    const NAMES: [&str; 6] = ["self", "flake", "root", "rootDir", "rootPath", "flakeRoot"];
    let variable = variable.strip_suffix(".outPath").unwrap_or(variable);
    NAMES.contains(&variable.rsplit('.').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_and_those_behind_the_flake_are_named() {
        for (text, paths) in [
            ("[ ./hosts/a ../b.nix ]", vec!["parts/hosts/a", "b.nix"]),
            (r#""${self}/hosts/a""#, vec!["hosts/a"]),
            (r#""${inputs.self}/a.nix""#, vec!["a.nix"]),
            ("(self + /a/b.nix) (self+\"/c\")", vec!["a/b.nix", "c"]),
            ("inputs.self.outPath + \"/a\"", vec!["a"]),
            (r#""${self}/hosts/${name}" "${pkgs}/a""#, vec![]),
            (r#"device = "/dev/sda"; x = myself + "/a";"#, vec![]),
        ] {
            assert_eq!(named_paths(text, "parts/nixos.nix"), paths, "{text}");
        }
    }
}
