//! README is short, and shows a flake that is evaluated.

use std::fs;

use zts_book::root;

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("the page is read")
}

#[test]
fn it_is_read_in_minutes() {
    let text = readme();
    let is_word = |word: &&str| word.contains(char::is_alphanumeric);
    let words = text.split_whitespace().filter(is_word).count();
    assert!((600..=900).contains(&words), "{words} words");
}

/// `tests/deploy` evaluates that file, where Nix is at hand.
#[test]
fn its_flake_is_the_one_that_is_evaluated() {
    let text = readme();
    let (_, block) = text.split_once("```nix\n").expect("it shows Nix");
    let (shown, rest) = block.split_once("```").expect("the block ends");
    assert!(!rest.contains("```nix"), "a second block is not evaluated");
    let evaluated = root().join("tests/deploy/readme.nix");
    let evaluated = fs::read_to_string(evaluated).expect("the file is read");
    assert_eq!(shown, evaluated);
}
