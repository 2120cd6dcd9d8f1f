//! Every page is in the book exactly once, and in the index of its folder.

use std::collections::BTreeMap;

use zts_book::{Outline, pages, read};

const SUMMARY: &str = "SUMMARY.md";

#[test]
fn every_page_is_in_the_summary_exactly_once() {
    let mut listed = BTreeMap::new();
    for link in Outline::parse(&read(SUMMARY)).links {
        *listed.entry(link.target).or_insert(0) += 1;
    }
    let mut wrong: Vec<String> = Vec::new();
    for page in pages("").iter().filter(|page| *page != SUMMARY) {
        match listed.remove(page) {
            Some(1) => {}
            Some(count) => wrong.push(format!("`{page}` is in SUMMARY.md {count} times")),
            None => wrong.push(format!("`{page}` is not in SUMMARY.md: add a line there")),
        }
    }
    wrong.extend(
        listed
            .keys()
            .map(|page| format!("SUMMARY.md lists `{page}`, which is no page")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn procedures_and_runbook_have_an_index_of_all_their_pages() {
    for folder in ["how-to", "runbook"] {
        let index = format!("{folder}/index.md");
        let links = Outline::parse(&read(&index)).links;
        for page in pages(folder).iter().filter(|page| **page != index) {
            let name = page.rsplit('/').next().unwrap_or_default();
            let listed = links.iter().any(|link| link.target == name);
            assert!(listed, "`{index}` does not lead to `{page}`");
        }
    }
}
