//! Machines in JSON and YAML.

use proptest::prelude::*;
use zts_infra_edit::vms::{self, MapPlace, Notation};

use crate::assert_only_inserted;
use crate::layout::{names, with_line_breaks};

/// The attributes of existing machines, in YAML and on one line in JSON.
const BODIES: [(&str, &str); 5] = [
    ("ip: 10.0.0.1/24", "\"ip\": \"10.0.0.1/24\""),
    (
        "ip: \"1\" # x\n\ndisks:\n- 1\n- size: 2",
        "\"ip\": \"1\", \"disks\": [1, {\"size\": 2}]",
    ),
    (
        "note: |\n  web05:\n    ip: 1\n\nip: 'it''s'",
        "\"note\": \"}\\\" {\"",
    ),
    (
        "tags: { a: 1, b: { c: \"}\" } }",
        "\"tags\": { \"a\": 1, \"b\": { \"c\": \"}\" } }",
    ),
    ("ü: ünï", "\"ü\": \"ünï\""),
];

/// The attributes of the new machine.
const NEW: [&str; 3] = [
    "ip = \"10.0.0.5/24\"",
    "ip = \"10.0.0.5/24\"\nsize = 2\ntags = [\"a\", \"#\"]",
    "",
];

#[derive(Debug, Clone)]
struct File {
    source: String,
    place: MapPlace,
    names: Vec<String>,
}

fn place(notation: Notation, path: &str) -> MapPlace {
    MapPlace {
        notation,
        path: path.split('.').map(str::to_owned).collect(),
    }
}

fn indent(text: &str, by: &str) -> String {
    let lines = text.lines().map(|line| match line {
        "" => String::new(),
        line => format!("{by}{line}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Generates an entry of YAML with the lines before it.
fn yaml_item(name: &str) -> impl Strategy<Value = String> + use<> {
    let name = name.to_owned();
    let before = prop_oneof![
        5 => Just(""),
        2 => Just("\n"),
        1 => Just("  # web05: {}\n"),
        1 => Just("\n# x\n\n"),
    ];
    let after = prop_oneof![4 => Just("\n"), 1 => Just(" # y\n"), 1 => Just("\n\n")];
    (before, any::<bool>(), 0..BODIES.len(), any::<bool>(), after).prop_map(
        move |(before, quoted, body, flow, after)| {
            let (lines, flow_body) = BODIES[body];
            // a name like `y` or `no` is another value without quotes
            let name = if quoted || name.len() < 3 {
                format!("\"{name}\"")
            } else {
                name.clone()
            };
            let value = if flow {
                format!(" {{ {flow_body} }}")
            } else {
                format!("\n{}", indent(lines, "    "))
            };
            format!("{before}  {name}:{value}{after}")
        },
    )
}

fn json_item(name: &str) -> impl Strategy<Value = String> + use<> {
    let name = name.to_owned();
    let blanks =
        || prop_oneof![3 => Just("\n    "), 1 => Just(""), 1 => Just(" "), 1 => Just("\n\n\t")];
    (blanks(), blanks(), 0..BODIES.len()).prop_map(move |(before, inside, body)| {
        format!("{before}\"{name}\": {{{inside}{}}}", BODIES[body].1)
    })
}

prop_compose! {
    fn file()(names in names(), crlf in any::<bool>(), shape in 0..5_usize, ends_bare in any::<bool>())(
        yaml in names.iter().map(|name| yaml_item(name)).collect::<Vec<_>>(),
        json in names.iter().map(|name| json_item(name)).collect::<Vec<_>>(),
        names in Just(names), crlf in Just(crlf), shape in Just(shape), ends_bare in Just(ends_bare),
    ) -> File {
        let entries = if yaml.is_empty() { " {}\n".to_owned() } else { format!("\n{}", yaml.concat()) };
        let (place, source) = match shape {
            0 => (place(Notation::Yaml, "vms"), format!("# ü\nvms:{entries}")),
            1 => (place(Notation::Yaml, "a.vms"), format!("---\na:\n  vms:{}\n  z: 1\n", indent(&entries, "  "))),
            2 => (place(Notation::Yaml, "vms"), format!("vms:{entries}z:\n  web05: {{}}\n")),
            3 => (place(Notation::Json, "vms"), format!("{{\n  \"a\": 1,\n  \"vms\": {{{}\n  }}\n}}\n", json.join(","))),
            _ => (place(Notation::Json, "locals.vms"), format!("{{\"locals\": {{\"vms\":{{{}}}}}}}", json.join(","))),
        };
        let source = if ends_bare { source.trim_end().to_owned() } else { source };
        File { source: with_line_breaks(source, crlf), place, names }
    }
}

proptest! {
    #![proptest_config(crate::config())]

    #[test]
    fn adding_and_removing(file in file(), name in "[a-z]{3}[0-9]{0,2}", new in 0..NEW.len()) {
        let File { source, place, names } = &file;
        let listed: Vec<_> = vms::list_vms(source, place).unwrap().into_iter().map(|vm| vm.name).collect();
        prop_assert_eq!(&listed, names);
        let result = vms::add_vm(source, place, &name, NEW[new]).unwrap();
        prop_assert_eq!(&vms::add_vm(&result, place, &name, NEW[new]).unwrap(), &result);
        let mut expected = names.clone();
        expected.push(name.clone());
        let mut listed: Vec<_> = vms::list_vms(&result, place).unwrap().into_iter().map(|vm| vm.name).collect();
        expected.sort();
        listed.sort();
        prop_assert_eq!(listed, expected);
        prop_assert_eq!(&vms::remove_vm(&result, place, &name).unwrap(), source);
        let with_token = vms::set_wrapping_token(&result, place, &name, "hvs.x").unwrap();
        if !NEW[new].is_empty() {
            assert_only_inserted(&result, &with_token);
        }
        let token = vms::wrapping_token(&with_token, place, &name).unwrap();
        prop_assert_eq!(token.as_deref(), Some("hvs.x"));
        prop_assert_eq!(&vms::remove_vm(&with_token, place, &name).unwrap(), source);
    }

    #[test]
    fn removing_leaves_the_others(file in file(), index in any::<prop::sample::Index>()) {
        let File { source, place, names } = &file;
        if names.is_empty() {
            return Ok(());
        }
        let gone = &names[index.index(names.len())];
        let result = vms::remove_vm(source, place, gone).unwrap();
        let expected: Vec<_> = names.iter().filter(|name| *name != gone).cloned().collect();
        let listed: Vec<_> = vms::list_vms(&result, place).unwrap().into_iter().map(|vm| vm.name).collect();
        prop_assert_eq!(listed, expected);
    }

    #[test]
    fn nothing_panics(text in "[{}:\"',a-z# \n\t&*<|>\\[\\]ü\\\\-]{0,60}") {
        for notation in [Notation::Yaml, Notation::Json] {
            let place = place(notation, "vms");
            for source in [text.clone(), format!("vms:\n  {text}"), format!("{{\"vms\": {{{text}}}}}")] {
                let _ = vms::list_maps(&source, notation);
                let _ = vms::add_vm(&source, &place, "web05", "ip = \"1\"");
                let _ = vms::remove_vm(&source, &place, "a");
                let _ = vms::set_wrapping_token(&source, &place, "a", "x");
            }
        }
    }
}

/// A key of YAML without a colon has an empty value, whose place the parser finds in the next line.
#[test]
fn an_entry_without_a_value_is_removed() {
    for source in ["{\"vms\": {a\n}}", "{\"vms\": {a,\n b}}"] {
        let place = place(Notation::Yaml, "vms");
        let removed = vms::remove_vm(source, &place, "a").unwrap();
        assert!(!removed.contains('a'), "{source}: {removed}");
    }
}
