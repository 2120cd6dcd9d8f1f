//! What a page shows while something is wrong is not to be seen where all is well: a symptom that is always there
//! leads nobody, and a test of it proves nothing.

use book::{Step, steps};

use crate::machine;

/// Pages whose commands show figures that a person must weigh, and what these are.
pub(crate) const TO_BE_WEIGHED: [(&str, &str); 2] = [
    ("VaultRaftLag.md", "how far one index is behind another"),
    (
        "VaultAuthorityExpiresSoon.md",
        "the date on which a CA ends",
    ),
];

/// What a page has one look at before it says what to do, but for what only a machine with systemd answers.
pub(crate) fn of(page: &str) -> Vec<Step> {
    let text = book::read(page);
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
