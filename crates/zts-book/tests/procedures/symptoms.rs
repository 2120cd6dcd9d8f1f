//! The symptoms on a page, which must not appear on a healthy system: one that always appears is no
//! symptom, and a test of it proves nothing.

use zts_book::{Step, steps};

use crate::machine;

/// Pages whose commands print figures for a person to judge, and those figures.
pub(crate) const TO_BE_WEIGHED: [(&str, &str); 2] = [
    ("VaultRaftLag.md", "how far one index is behind another"),
    (
        "VaultAuthorityExpiresSoon.md",
        "the date on which a CA ends",
    ),
];

/// Returns the commands of a page before its fix, except those that only a machine with systemd
/// answers.
pub(crate) fn read_symptoms(page: &str) -> Vec<Step> {
    let text = zts_book::read(page);
    let of_an_alert = text.contains("\n## How to look\n");
    let end = if of_an_alert {
        "\n## Fix"
    } else {
        "\n**Impact.**"
    };
    let (symptom, _) = text
        .split_once(end)
        .unwrap_or_else(|| panic!("`{page}` does not say `{}`", end.trim()));
    let looks = |step: &Step| match step {
        Step::Run(command) if of_an_alert => !machine::answers(&command.text),
        Step::Run(_) => true,
        Step::Configure(..) => false,
    };
    steps(symptom).into_iter().filter(looks).collect()
}
