//! Values that differ among the machines, and are assumed for a new one.

use crate::tree::{Item, Kind, Node};

/// A value that differs among the machines, and is assumed for the new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assumption {
    /// The attribute's name, with those of the objects around it.
    pub name: String,
    /// The assumed value.
    pub value: String,
    /// The reason for it.
    pub reason: Reason,
}

/// The reason to assume a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is the number after the largest one.
    NextNumber,
    /// Most machines have it.
    Most,
    /// It says that there is none, as that of another machine does.
    Absent,
}

/// Returns the value of a machine that has none: `null`, or an empty text.
pub(super) fn absent<'a>(same: &[&'a Item]) -> Option<&'a Item> {
    let is_absent = |item: &&&Item| {
        matches!(item.value.kind, Kind::Null) || item.value.text().is_some_and(str::is_empty)
    };
    same.iter().find(is_absent).copied()
}

/// Returns the number after the largest, if the values count the machines: numbers that differ, in
/// an attribute that no two machines share, or at least three without a gap.
pub(super) fn next_in_count(same: &[&Item], is_unique: bool) -> Option<u64> {
    let numbers: Option<Vec<u64>> = same.iter().map(|item| number(&item.value)).collect();
    let mut numbers = numbers?;
    numbers.sort_unstable();
    let are_distinct = numbers.windows(2).all(|pair| pair[0] < pair[1]);
    let has_no_gap = numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]);
    let is_count = (same.len() > 1 && is_unique) || (same.len() > 2 && has_no_gap);
    let next = numbers.last()?.checked_add(1)?;
    (are_distinct && is_count).then_some(next)
}

/// Returns the value of more than half of the machines.
pub(super) fn most_common<'a>(same: &[&'a Item]) -> Option<&'a Item> {
    let count = |item: &Item| {
        let equal = same.iter().filter(|other| other.value == item.value);
        equal.count()
    };
    let most = same.iter().copied().max_by_key(|item| count(item))?;
    (count(most) * 2 > same.len()).then_some(most)
}

/// Returns the list of the elements that more than half of the lists have.
pub(super) fn common_elements(source: &str, same: &[&Item]) -> Option<String> {
    let lists: Option<Vec<&Vec<Node>>> = same
        .iter()
        .map(|item| match &item.value.kind {
            Kind::List(values) => Some(values),
            _ => None,
        })
        .collect();
    let lists = lists?;
    let count = |value: &Node| lists.iter().filter(|list| list.contains(value)).count();
    let last = lists.last()?.iter();
    let common = last.filter(|value| count(value) * 2 > same.len());
    let texts: Vec<&str> = common.map(|value| &source[value.range.clone()]).collect();
    Some(format!("[{}]", texts.join(", ")))
}

/// Keeps the machines that are to be learnt from, without those of macOS.
pub(super) fn keep_like<'a>(
    source: &str,
    mut objects: Vec<&'a Item>,
    like: &[String],
) -> Vec<&'a Item> {
    let is_like = |item: &&Item| item.name.as_ref().is_some_and(|name| like.contains(name));
    if objects.iter().any(is_like) {
        objects.retain(is_like);
    }
    let is_linux = |item: &&Item| !source[item.range.clone()].contains("64-darwin\"");
    if objects.iter().any(is_linux) {
        objects.retain(is_linux);
    }
    objects
}

/// Returns the number of a value.
pub(super) fn number(node: &Node) -> Option<u64> {
    match &node.kind {
        Kind::Literal(text) | Kind::Text(text) => text.parse().ok(),
        _ => None,
    }
}
