//! Removes a host from a map of machines.

use std::ops::Range;

use super::locate::{NewItem, VmsObject, unsupported_shape};
use super::place::{MapPlace, Notation};
use crate::error::Error;
use crate::notice::check_notice_of_removal;
use crate::text::splice;

/// See [`super::remove_vm`].
pub(super) fn remove_vm(source: &str, place: &MapPlace, host: &str) -> Result<String, Error> {
    let Some(vms) = VmsObject::locate(source, place)? else {
        return Ok(source.to_owned());
    };
    let Some((index, item)) = vms.find_host(host) else {
        return Ok(source.to_owned());
    };
    check_notice_of_removal(source, host)?;
    remove_entry(&vms, index, host).ok_or_else(|| {
        unsupported_shape(
            source,
            item.range.start,
            "this entry cannot be removed safely",
        )
    })
}

/// Tries the candidates for the removal. Returns the first that reverts the entry's addition
/// exactly, else the first that leaves the others unchanged.
fn remove_entry(vms: &VmsObject<'_>, index: usize, host: &str) -> Option<String> {
    let (source, place) = (vms.source, vms.place);
    let item = &vms.items()[index];
    let entry = &source[item.range.clone()];
    let new = NewItem {
        host,
        key_width: source[item.key.clone()].chars().count(),
        is_one_line: !entry.contains('\n'),
    };
    let mut candidates = empty_blocks(vms, index);
    candidates.extend(vms.block().removals(index));
    let mut fallback = None;
    for (range, replacement) in candidates {
        let result = splice(source, range, &[&replacement]);
        let Ok(Some(rest)) = VmsObject::locate(&result, place) else {
            continue;
        };
        if !keeps_others(vms, &rest, index) {
            continue;
        }
        if rest.insertion(&new).0.insert(&result, entry) == source {
            return Some(result);
        }
        fallback.get_or_insert(result);
    }
    fallback
}

/// Returns the ways to write a block of YAML without its only entry.
fn empty_blocks(vms: &VmsObject<'_>, index: usize) -> Vec<(Range<usize>, String)> {
    let map = &vms.map.range;
    let notation = vms.place.notation;
    let is_block = notation == Notation::Yaml && notation.is_block(vms.source, map);
    if vms.items().len() > 1 || !is_block {
        return Vec::new();
    }
    let range = map.start..vms.items()[index].range.end;
    let empty = if vms.list_key.is_some() { " []" } else { " {}" };
    [empty, ""]
        .map(|empty| (range.clone(), empty.to_owned()))
        .into()
}

/// Returns whether all other entries are unchanged.
fn keeps_others(before: &VmsObject<'_>, after: &VmsObject<'_>, removed: usize) -> bool {
    let texts = |vms: &VmsObject<'_>| -> Vec<String> {
        let ranges = vms.items().iter().map(|item| item.range.clone());
        ranges.map(|range| vms.source[range].to_owned()).collect()
    };
    let mut others = texts(before);
    others.remove(removed);
    others == texts(after)
}
