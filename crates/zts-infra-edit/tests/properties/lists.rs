//! Machines in lists of objects.

use proptest::prelude::*;
use zts_infra_edit::vms::{self, MapPlace, Notation};

use crate::layout::{before_entry, names, with_line_breaks};

/// The attributes of the new machine.
const NEW: [&str; 3] = [
    "ip = \"10.0.0.5/24\"",
    "size = 2\ntags = [\"a\", \"#\"]\n",
    "",
];

#[derive(Debug, Clone)]
struct File {
    source: String,
    place: MapPlace,
    names: Vec<String>,
}

/// Generates an item of HCL with the text before it, without its comma.
fn hcl_item(name: &str) -> impl Strategy<Value = String> + use<> {
    let forms = [
        format!("{{ name = \"{name}\" }}"),
        format!("{{ name = \"{name}\", ip = \"10.0.0.1/24\" }}"),
        format!("{{\n      ip   = \"1\" # x\n      name = \"{name}\"\n    }}"),
        format!("{{\n name=\"{name}\"\n\n  disks = [\n  {{ name = \"a\" }},\n]\n}}"),
    ];
    (before_entry(), prop::sample::select(forms.to_vec())).prop_map(|(before, form)| before + &form)
}

fn json_item(name: &str) -> impl Strategy<Value = String> + use<> {
    let blanks = || prop::sample::select(vec!["\n    ", "", " ", "\n\n\t"]);
    let name = name.to_owned();
    (blanks(), blanks()).prop_map(move |(before, inside)| {
        format!("{before}{{{inside}\"name\": \"{name}\",{inside}\"ip\": \"1\"}}")
    })
}

/// Generates an item of YAML with the lines before it.
fn yaml_item(name: &str) -> impl Strategy<Value = String> + use<> {
    let before = prop::sample::select(vec!["", "\n", "  # - name: web05\n", "\n# x\n\n"]);
    let after = prop::sample::select(vec!["\n", " # y\n", "\n\n"]);
    let forms = [
        format!("  - name: '{name}'"),
        format!("  - {{ ip: 1, name: '{name}' }}"),
        format!("  - ip: 10.0.0.1/24 # x\n    name: \"{name}\""),
        format!("  - name: '{name}'\n\n    disks:\n    - name: a\n    - 2"),
        format!("  -   name: '{name}'\n      ip: 10.0.0.1"),
    ];
    let form = prop::sample::select(forms.to_vec());
    (before, form, after).prop_map(|(before, form, after)| format!("{before}{form}{after}"))
}

prop_compose! {
    fn file()(
        names in names().prop_filter("an empty list has no form", |names| !names.is_empty()),
        crlf in any::<bool>(),
        shape in 0..7_usize,
        ends_bare in any::<bool>(),
        last in before_entry(),
    )(
        hcl in names.iter().map(|name| hcl_item(name)).collect::<Vec<_>>(),
        json in names.iter().map(|name| json_item(name)).collect::<Vec<_>>(),
        yaml in names.iter().map(|name| yaml_item(name)).collect::<Vec<_>>(),
        names in Just(names), crlf in Just(crlf), shape in Just(shape), ends_bare in Just(ends_bare),
        last in Just(last),
    ) -> File {
        let place = |notation, path: &str| MapPlace {
            notation,
            path: path.split('.').map(str::to_owned).collect(),
        };
        let (json, yaml) = (json.join(","), yaml.concat());
        let comma = if ends_bare { "" } else { "," };
        let hcl = hcl.join(",") + comma + &last;
        let (place, source) = match shape {
            0 => (place(Notation::Hcl, "locals.vms"), format!("locals {{\n  vms = [{hcl}]\n}}\n")),
            1 => (place(Notation::Hcl, "vms"), format!("a = []\nvms = [{hcl}] # end\n")),
            2 => (place(Notation::Json, "vms"), format!("{{\n  \"vms\": [{json}\n  ]\n}}\n")),
            3 => (place(Notation::Json, "locals.vms"), format!("{{\"locals\": {{\"vms\":[{json}]}}}}")),
            4 => (place(Notation::Yaml, "vms"), format!("# ü\nvms:\n{yaml}")),
            5 => (place(Notation::Yaml, "vms"), format!("vms:\n{yaml}z:\n  - name: web05\n")),
            _ => (place(Notation::Yaml, "a.vms"), format!("---\na:\n  vms:\n{yaml}")),
        };
        let source = if ends_bare { source.trim_end().to_owned() } else { source };
        File { source: with_line_breaks(source, crlf), place, names }
    }
}

fn hosts(source: &str, place: &MapPlace) -> Vec<String> {
    let vms = vms::list_vms(source, place).unwrap();
    vms.into_iter().map(|vm| vm.name).collect()
}

proptest! {
    #![proptest_config(crate::config())]

    #[test]
    fn adding_and_removing(file in file(), name in "[a-z]{3}[0-9]{0,2}", new in 0..NEW.len()) {
        let File { source, place, names } = &file;
        prop_assert_eq!(&hosts(source, place), names);
        let result = vms::add_vm(source, place, &name, NEW[new]).unwrap();
        prop_assert_eq!(&vms::add_vm(&result, place, &name, NEW[new]).unwrap(), &result);
        let mut expected = names.clone();
        expected.push(name.clone());
        expected.sort();
        let mut listed = hosts(&result, place);
        listed.sort();
        prop_assert_eq!(listed, expected);
        prop_assert_eq!(&vms::remove_vm(&result, place, &name).unwrap(), source);
        let with_token = vms::set_wrapping_token(&result, place, &name, "hvs.x").unwrap();
        let token = vms::wrapping_token(&with_token, place, &name).unwrap();
        prop_assert_eq!(token.as_deref(), Some("hvs.x"));
        prop_assert_eq!(&vms::remove_vm(&with_token, place, &name).unwrap(), source);
    }

    #[test]
    fn removing_leaves_the_others(file in file(), index in any::<prop::sample::Index>()) {
        let File { source, place, names } = &file;
        let gone = &names[index.index(names.len())];
        let result = vms::remove_vm(source, place, gone).unwrap();
        let expected: Vec<_> = names.iter().filter(|name| *name != gone).cloned().collect();
        prop_assert_eq!(hosts(&result, place), expected);
    }
}
