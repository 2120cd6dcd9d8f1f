//! Takes a host out of `locals.vms`.

use super::locate::{Vms, unsupported};
use crate::error::Error;
use crate::hcl;
use crate::text::splice;

/// See [`super::remove`].
pub(super) fn remove(source: &str, host: &str) -> Result<String, Error> {
    let body = hcl::parse(source)?;
    let Some(vms) = Vms::locate(source, &body)? else {
        return Ok(source.to_owned());
    };
    let Some((index, item)) = vms.host(host) else {
        return Ok(source.to_owned());
    };
    remove_one(source, &vms, index, host).ok_or_else(|| {
        unsupported(
            source,
            item.range.start,
            "this entry cannot be cut out safely",
        )
    })
}

/// The first way to cut the entry out that undoes its addition exactly; else the first that harms nothing.
fn remove_one(source: &str, vms: &Vms<'_>, index: usize, host: &str) -> Option<String> {
    let entry = &source[vms.items[index].range.clone()];
    let mut fallback = None;
    for (range, replacement) in vms.block().removals(index) {
        let result = splice(source, range, &[&replacement]);
        let Ok(body) = hcl::parse(&result) else {
            continue;
        };
        let Ok(Some(rest)) = Vms::locate(&result, &body) else {
            continue;
        };
        if !keeps_others(vms, &rest, index) {
            continue;
        }
        if rest.place(host).0.insert(&result, entry) == source {
            return Some(result);
        }
        fallback.get_or_insert(result);
    }
    fallback
}

/// Whether all entries but the one that goes are there, to the byte.
fn keeps_others(before: &Vms<'_>, after: &Vms<'_>, gone: usize) -> bool {
    let text = |vms: &Vms<'_>, index: usize| vms.source[vms.items[index].range.clone()].to_owned();
    let others = (0..before.items.len()).filter(|&index| index != gone);
    others
        .map(|index| text(before, index))
        .eq((0..after.items.len()).map(|index| text(after, index)))
}
