//! Removes a host from `locals.vms`.

use super::locate::{VmsObject, unsupported_shape};
use crate::error::Error;
use crate::hcl;
use crate::text::splice;

/// See [`super::remove_vm`].
pub(super) fn remove_vm(source: &str, host: &str) -> Result<String, Error> {
    let body = hcl::parse_file(source)?;
    let Some(vms) = VmsObject::locate(source, &body)? else {
        return Ok(source.to_owned());
    };
    let Some((index, item)) = vms.find_host(host) else {
        return Ok(source.to_owned());
    };
    remove_entry(source, &vms, index, host).ok_or_else(|| {
        unsupported_shape(
            source,
            item.range.start,
            "this entry cannot be removed safely",
        )
    })
}

/// Tries the candidates for the removal. Returns the first that reverts the entry's addition
/// exactly, else the first that leaves the others unchanged.
fn remove_entry(source: &str, vms: &VmsObject<'_>, index: usize, host: &str) -> Option<String> {
    let entry = &source[vms.items[index].range.clone()];
    let mut fallback = None;
    for (range, replacement) in vms.block().removals(index) {
        let result = splice(source, range, &[&replacement]);
        let Ok(body) = hcl::parse_file(&result) else {
            continue;
        };
        let Ok(Some(rest)) = VmsObject::locate(&result, &body) else {
            continue;
        };
        if !keeps_others(vms, &rest, index) {
            continue;
        }
        if rest.insertion(host).0.insert(&result, entry) == source {
            return Some(result);
        }
        fallback.get_or_insert(result);
    }
    fallback
}

/// Returns whether all other entries are unchanged.
fn keeps_others(before: &VmsObject<'_>, after: &VmsObject<'_>, removed: usize) -> bool {
    let text =
        |vms: &VmsObject<'_>, index: usize| vms.source[vms.items[index].range.clone()].to_owned();
    let others = (0..before.items.len()).filter(|&index| index != removed);
    others
        .map(|index| text(before, index))
        .eq((0..after.items.len()).map(|index| text(after, index)))
}
