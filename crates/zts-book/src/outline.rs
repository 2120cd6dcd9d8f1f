//! The headings and links of a Markdown text.

use std::collections::{BTreeMap, BTreeSet};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A link or an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The number of its line, from 1.
    pub line: usize,
    /// The target, as it is written.
    pub target: String,
}

/// The anchors, links and code spans of a page.
#[derive(Debug, Default)]
pub struct Outline {
    /// The anchors of its headings, as mdBook and git hosts generate them.
    pub anchors: BTreeSet<String>,
    /// Its links and images, in order.
    pub links: Vec<Link>,
    /// The texts between backticks, in order.
    pub codes: Vec<String>,
}

impl Outline {
    /// Parses a page.
    pub fn parse(text: &str) -> Self {
        let mut outline = Self::default();
        let mut heading: Option<String> = None;
        let mut seen = BTreeMap::new();
        for (event, place) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    outline.links.push(Link {
                        line: 1 + text[..place.start].matches('\n').count(),
                        target: dest_url.into_string(),
                    });
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let name = anchor(&heading.take().unwrap_or_default());
                    let before: &mut usize = seen.entry(name.clone()).or_default();
                    outline.anchors.insert(match *before {
                        0 => name,
                        count => format!("{name}-{count}"),
                    });
                    *before += 1;
                }
                Event::Text(words) => extend(&mut heading, &words),
                Event::Code(words) => {
                    extend(&mut heading, &words);
                    outline.codes.push(words.into_string());
                }
                _ => {}
            }
        }
        outline
    }
}

fn extend(heading: &mut Option<String>, words: &str) {
    if let Some(heading) = heading {
        heading.push_str(words);
    }
}

/// Returns the anchor of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter_map(|letter| match letter {
        '_' | '-' => Some(letter),
        _ if letter.is_alphanumeric() => Some(letter),
        _ if letter.is_whitespace() => Some('-'),
        _ => None,
    });
    kept.flat_map(char::to_lowercase).collect()
}

#[test]
fn a_page_has_headings_links_and_codes() {
    let text = "# Über `a b`\n\n[x](y.md#z) and ![i](i.svg)\n\n## Same\n\n## Same\n\n```\n[no](no.md)\n```\n<no.md>\n\n| [t](u.md) |\n| - |\n";
    let outline = Outline::parse(text);
    let anchors: Vec<_> = outline.anchors.iter().map(String::as_str).collect();
    assert_eq!(anchors, ["same", "same-1", "über-a-b"]);
    let targets: Vec<_> = outline
        .links
        .iter()
        .map(|link| (link.line, link.target.as_str()))
        .collect();
    assert_eq!(targets, [(3, "y.md#z"), (3, "i.svg"), (14, "u.md")]);
    assert_eq!(outline.codes, ["a b"]);
}
