//! `vms.tf`.

use proptest::prelude::*;
use zts_infra_edit::{
    Error,
    vms::{self, MapPlace},
};

use crate::assert_only_inserted;
use crate::layout::{before_entry, names, new_name, with_line_breaks};

/// The place of the map, and the file around its items, which replace `%`.
const SHAPES: [(&str, &str); 10] = [
    ("locals.vms", "locals {\n  vms = {%}\n}\n"),
    (
        "locals.vms",
        "locals {\n\tx = \"vms = {\"\n\tvms = {%}\n\ty = 1\n}",
    ),
    (
        "locals.vms",
        "locals {\n  a = 1\n}\n\n# vms = {}\nlocals {\n    vms = ({%})\n}\nresource \"x\" \"y\" {\n  vms = {}\n}\n",
    ),
    ("locals.vms", "\u{feff}locals {\n  vms = {%} # end\n}\n"),
    ("locals.vms", "locals { vms = {%} }\n"),
    (
        "locals.nodes",
        "locals {\n  vms = {}\n  nodes = merge(local.a, {%})\n}\n",
    ),
    (
        "variable.hosts.default",
        "variable \"hosts\" {\n  type = any\n  default = {%}\n}\n",
    ),
    (
        "module.fleet.machines",
        "module \"fleet\" {\n  source = \"./x\"\n  machines = {%}\n}\n",
    ),
    ("vms", "a = 1\nvms = {%}\n"),
    (
        "locals.fleet.vms",
        "locals {\n  fleet = {\n    vms = {%}\n  }\n}\n",
    ),
];

const BODIES: [&str; 6] = [
    "ip = \"10.0.0.1/24\"",
    "ip     = \"1\"\nmemory = 2048",
    "# note\nip = \"1\" # x\n\ndisks = [\n  1,\n]",
    "note = <<-EOT\n    \"web05\" = {\n  ${local.x}\nEOT\nip = \"%{ if true }a%{ endif }\"",
    "tags = { a = 1, b = { c = \"}\" } }",
    "",
];

#[derive(Debug, Clone)]
struct File {
    source: String,
    place: MapPlace,
    names: Vec<String>,
}

prop_compose! {
    fn file()(
        names in names(),
        shape in 0..SHAPES.len(),
        crlf in any::<bool>(),
        last in before_entry(),
        ends_bare in any::<bool>(),
    )(
        items in names.iter().map(|name| item(name)).collect::<Vec<_>>(),
        names in Just(names),
        last in Just(last),
        shape in Just(shape),
        crlf in Just(crlf),
        ends_bare in Just(ends_bare),
    ) -> File {
        let mut items = items.concat();
        if ends_bare && items.ends_with("},\n") {
            // The last item needs no separator.
            items.truncate(items.len() - 2);
            items.push(' ');
        }
        let (path, shape) = SHAPES[shape];
        let source = shape.replacen('%', &(items + &last), 1);
        let place = MapPlace {
            path: path.split('.').map(str::to_owned).collect(),
            ..MapPlace::default()
        };
        File { source: with_line_breaks(source, crlf), place, names }
    }
}

/// Generates an item with the text before it and its separator.
fn item(name: &str) -> impl Strategy<Value = String> + use<> {
    let name = name.to_owned();
    let assignment = prop_oneof![4 => Just(" = "), 1 => Just("   = "), 1 => Just("="), 1 => Just(": "), 1 => Just(" /* = */ = ")];
    let separator = prop_oneof![
        4 => Just("\n"),
        2 => Just(","),
        2 => Just(",\n"),
        1 => Just(" # x\n"),
        1 => Just(", # x\n"),
        1 => Just(" /* y */\n"),
    ];
    let body = (0..BODIES.len(), any::<bool>()).prop_map(|(body, one_line)| match BODIES[body] {
        body if one_line && !body.contains('\n') => format!("{{ {body} }}"),
        body => format!("{{\n{body}\n}}"),
    });
    (before_entry(), any::<bool>(), assignment, body, separator).prop_map(
        move |(before, quoted, assignment, body, separator)| {
            let name = if quoted || name == "for" {
                format!("\"{name}\"")
            } else {
                name.clone()
            };
            format!("{before}{name}{assignment}{body}{separator}")
        },
    )
}

fn hosts(source: &str, place: &MapPlace) -> Vec<String> {
    vms::list_vms(source, place)
        .unwrap()
        .into_iter()
        .map(|vm| vm.name)
        .collect()
}

proptest! {
    #![proptest_config(crate::config())]

    #[test]
    fn adding_and_removing(file in file(), name in new_name(), body in 0..BODIES.len()) {
        let File { source, place, .. } = &file;
        prop_assert_eq!(&hosts(source, place), &file.names);
        let body = BODIES[body];
        if file.names.contains(&name) {
            check_existing(&file, &name, body);
            return Ok(());
        }
        let result = vms::add_vm(source, place, &name, body).unwrap();
        assert_only_inserted(source, &result);
        let mut expected = file.names.clone();
        expected.push(name.clone());
        expected.sort();
        let mut names = hosts(&result, place);
        names.sort();
        prop_assert_eq!(names, expected);
        prop_assert_eq!(&vms::add_vm(&result, place, &name, body).unwrap(), &result);
        let other = vms::add_vm(&result, place, &name, "something = \"else\"");
        assert!(matches!(other, Err(Error::Exists { .. })), "{other:?}");
        prop_assert_eq!(&vms::remove_vm(&result, place, &name).unwrap(), source);
        let with_token = vms::set_wrapping_token(&result, place, &name, "hvs.${x}").unwrap();
        assert_only_inserted(&result, &with_token);
        let token = vms::wrapping_token(&with_token, place, &name).unwrap();
        prop_assert_eq!(token.as_deref(), Some("hvs.${x}"));
        prop_assert_eq!(&vms::set_wrapping_token(&with_token, place, &name, "hvs.${x}").unwrap(), &with_token);
        prop_assert_eq!(&vms::add_vm(&with_token, place, &name, body).unwrap(), &with_token);
        prop_assert_eq!(&vms::remove_vm(&with_token, place, &name).unwrap(), source);
    }

    #[test]
    fn removing_leaves_the_others(file in file(), index in any::<prop::sample::Index>()) {
        if file.names.is_empty() {
            return Ok(());
        }
        let place = &file.place;
        let gone = &file.names[index.index(file.names.len())];
        let result = vms::remove_vm(&file.source, place, gone).unwrap();
        let expected: Vec<_> = file.names.iter().filter(|name| *name != gone).cloned().collect();
        prop_assert_eq!(hosts(&result, place), expected);
        prop_assert_eq!(&vms::remove_vm(&result, place, gone).unwrap(), &result);
    }

    #[test]
    fn a_token_changes_nothing_else(file in file(), index in any::<prop::sample::Index>()) {
        if file.names.is_empty() {
            return Ok(());
        }
        let place = &file.place;
        let name = &file.names[index.index(file.names.len())];
        let first = vms::set_wrapping_token(&file.source, place, name, "hvs.1").unwrap();
        assert_only_inserted(&file.source, &first);
        let second = vms::set_wrapping_token(&first, place, name, "hvs.2").unwrap();
        prop_assert_eq!(second.replace("hvs.2", "hvs.1"), first);
        let has_token = vms::list_vms(&second, place).unwrap().into_iter().filter(|vm| vm.has_wrapping_token);
        prop_assert_eq!(has_token.map(|vm| vm.name).collect::<Vec<_>>(), vec![name.clone()]);
    }

    #[test]
    fn nothing_panics(items in "[{}=\",a-z# \n$/*:<\\[\\]-]{0,40}", body in "[{}=\"a-z# \n$]{0,20}") {
        let source = format!("locals {{\n  vms = {{{items}}}\n}}\n");
        let _ = vms::list_vms(&source, &MapPlace::default());
        for result in [
            vms::add_vm(&source, &MapPlace::default(), "web05", &body),
            vms::remove_vm(&source, &MapPlace::default(), "a"),
            vms::set_wrapping_token(&source, &MapPlace::default(), "a", &body),
        ].into_iter().flatten() {
            vms::list_vms(&result, &MapPlace::default()).unwrap();
        }
    }
}

/// Checks that the addition of an existing host changes nothing, or is refused.
fn check_existing(file: &File, name: &str, body: &str) {
    match vms::add_vm(&file.source, &file.place, name, body) {
        Ok(result) => assert_eq!(result, file.source),
        Err(error) => assert!(matches!(error, Error::Exists { .. }), "{error}"),
    }
}
