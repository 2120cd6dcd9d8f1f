//! mdBook makes a site of the pages.

use book::{docs, pages};
use testkit::Run;

#[test]
fn the_book_builds_without_a_warning() {
    let Some(mdbook) = testkit::find("mdbook", "MDBOOK") else {
        testkit::skip!("no mdbook on this machine");
    };
    let folder = testkit::scratch_dir();
    let output = Run::new(mdbook)
        .args(["build".as_ref(), "--dest-dir".as_ref(), folder.as_os_str()])
        .arg(docs())
        .run();
    assert_eq!(output.code(), Some(0), "{output}");
    let said = output.stderr.to_lowercase();
    assert!(
        !said.contains("warn") && !said.contains("error"),
        "{output}"
    );
    for page in pages("").iter().filter(|page| *page != "SUMMARY.md") {
        let made = page
            .replace("README.md", "index.html")
            .replace(".md", ".html");
        assert!(folder.join(&made).is_file(), "`{made}` was not made");
    }
}
