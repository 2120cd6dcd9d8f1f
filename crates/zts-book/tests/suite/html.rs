//! mdBook builds a site from the pages.

use zts_book::{docs, pages};
use zts_testkit::Run;

#[test]
fn the_book_builds_without_a_warning() {
    let mdbook = zts_testkit::require_program!("mdbook");
    let folder = zts_testkit::scratch_dir();
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
