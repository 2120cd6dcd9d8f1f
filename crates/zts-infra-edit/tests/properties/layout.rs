//! Blanks and comments between entries.

use proptest::prelude::*;

/// Generates blanks, line breaks and comments after which an entry may begin.
pub(crate) fn before_entry() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => Just("\n    ".to_owned()),
        2 => Just("\n".to_owned()),
        2 => Just("\n\n".to_owned()),
        1 => Just("\n  \t\n".to_owned()),
        2 => "[ ]{0,5}",
        1 => Just("\t".to_owned()),
        1 => comment().prop_map(|text| format!("# {text}\n")),
        1 => comment().prop_map(|text| format!("\n  # {text}\n  ")),
        1 => comment().prop_map(|text| format!("/* {text} */")),
        1 => comment().prop_map(|text| format!("/* {text}\n  {text} */\n")),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

/// Generates the text of a comment, with text that would mislead an editor without a parser.
fn comment() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("plain words".to_owned()),
        Just("nixosConfigurations = { web05 = 1; };".to_owned()),
        Just("\"web05\" = { ip = \"1\" } }".to_owned()),
        Just("it's \"unclosed { ( '' ${ ünï".to_owned()),
        Just(String::new()),
    ]
}

/// Generates unique names of existing hosts: few or many, sorted or not.
pub(crate) fn names() -> impl Strategy<Value = Vec<String>> {
    let names = prop::collection::btree_set("[a-z]{1,2}[0-9]{0,2}", 0..7);
    let sorted = names.prop_map(|names| names.into_iter().collect::<Vec<_>>());
    prop_oneof![sorted.clone(), sorted.prop_shuffle()]
}

/// Generates the name of a new host, which may exist already or need quotes.
pub(crate) fn new_name() -> impl Strategy<Value = String> {
    prop_oneof![6 => "[a-z]{1,2}[0-9]{0,2}", 1 => "[0-9][a-z.-]{0,3}", 1 => Just("if".to_owned()), 1 => Just("for".to_owned())]
}

/// Returns the source, with CRLF if asked for.
pub(crate) fn with_line_breaks(source: String, crlf: bool) -> String {
    if crlf {
        source.replace('\n', "\r\n")
    } else {
        source
    }
}
