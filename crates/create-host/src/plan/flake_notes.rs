//! Notes of what is left to check, and to do by hand, after an entry in the flake.

use zts_infra_edit::{
    nix::{Origin, Placement, TypicalEntry},
    vms::{Assumption, Reason},
};

use crate::host::HostName;

/// Describes what is left to check, and to do by hand.
pub(super) fn describe_remains(added: &Placement, name: &HostName, flake: &str) -> Vec<String> {
    let by_hand = added.by_hand.iter().map(|output| {
        format!(
            "`{output}` in `{flake}` has other hosts: add `{name}` by hand if it is deployed in that way"
        )
    });
    let mut notes: Vec<String> = by_hand.collect();
    notes.extend(describe_registers(added, name));
    if let Origin::Data(assumed) = &added.origin {
        let assumed = assumed.iter();
        notes.extend(assumed.map(|value| describe_assumption(value, name, "hosts")));
    }
    if let Origin::Typical { like, left_out } = &added.origin {
        let left_out = describe_left_out(left_out);
        notes.push(format!(
            "the entry of `{name}` in `{}` is like that of `{like}`{left_out}: check it, because the entries differ",
            added.file
        ));
    }
    notes
}

/// Describes the sets with an entry for each host: those that got one to check, and those that got
/// none.
fn describe_registers(added: &Placement, name: &HostName) -> Vec<String> {
    const SHOWN: usize = 3;
    let typical = added.typical.iter().map(|entry| {
        let TypicalEntry { file, set, like } = entry;
        format!("the entry of `{name}` in `{set}` of `{file}` is like that of `{like}`: check it, because the entries differ")
    });
    let mut notes: Vec<String> = typical.collect();
    let others = added.others.iter().take(SHOWN);
    let others: Vec<String> = others
        .map(|(file, line)| format!("`{file}`, line {line}"))
        .collect();
    if !others.is_empty() {
        notes.push(format!(
            "{} {} an entry for each other host: add `{name}` if it needs one",
            others.join("; "),
            if others.len() == 1 { "has" } else { "have" },
        ));
    }
    notes
}

/// Names the attributes that an entry lacks.
fn describe_left_out(left_out: &[String]) -> String {
    if left_out.is_empty() {
        return String::new();
    }
    let names: Vec<String> = left_out.iter().map(|name| format!("`{name}`")).collect();
    format!(
        ", without {}, of which each host has its own",
        names.join(", ")
    )
}

/// Describes a value that the user may want to be another. `others` are those that it is taken
/// from.
pub(super) fn describe_assumption(assumed: &Assumption, name: &HostName, others: &str) -> String {
    let Assumption {
        name: attribute,
        value,
        reason,
    } = assumed;
    let reason = match reason {
        Reason::NextNumber => "the next number".to_owned(),
        Reason::Most => format!("that of most {others}"),
        Reason::Absent => format!("one that says there is none, as for one of the {others}"),
    };
    let value = match value.as_str() {
        "" => "\"\"",
        value => value,
    };
    format!(
        "`{attribute}` of `{name}` is {reason}, `{value}`: `--set {attribute}=VALUE` sets another one"
    )
}
