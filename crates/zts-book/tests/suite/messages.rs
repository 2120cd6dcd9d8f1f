//! Each error and warning of the programs has a page, and the index of messages leads to it.
//!
//! `BOOK=write cargo test -p zts-book --test suite messages` writes the index again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use zts_book::{
    Message, Outline, VALUE, indirect_failures_of, match_message, messages_of, pages, read, root,
};

use crate::reference;

const INDEX: &str = "reference/messages.md";

/// The page of all messages of a file or folder of `crates/`. The longest name counts. A message in
/// the runbook's table has its page from there.
const PLACES: &[(&str, &str)] = &[
    ("create-host/src/", PLAN),
    (
        "create-host/src/choice/environment.rs",
        "how-to/kinds-of-hosts.md#several-environments",
    ),
    (
        "create-host/src/choice/host_type.rs",
        "how-to/kinds-of-hosts.md#a-type-for-each-kind",
    ),
    (
        "create-host/src/choice/sections.rs",
        "how-to/kinds-of-hosts.md",
    ),
    (
        "create-host/src/deliver/",
        "how-to/deploy.md#a-host-that-runs-already",
    ),
    ("create-host/src/grants.rs", "how-to/shared-secrets.md"),
    ("create-host/src/init/", "tutorial.md#a-fleet-that-exists"),
    (
        "create-host/src/more_policies.rs",
        "how-to/shared-secrets.md",
    ),
    ("create-host/src/server/preflight.rs", "how-to/operator.md"),
    (
        "vault-certs/src/",
        "explanation/server.md#cas-by-the-calendar",
    ),
    (
        "vault-certs/src/fetch.rs",
        "runbook/certificate-expired.md#the-hosts-ca-certificates",
    ),
    (
        "vault-certs/src/kubernetes/",
        "how-to/kubernetes.md#the-ca-certificates",
    ),
    ("vault-certs/src/show.rs", "runbook/certificate-expired.md"),
    ("vault-exporter/src/", "monitoring.md"),
    ("vault-fetch/src/", "explanation/fetch.md"),
    ("vault-import/src/", "how-to/from-sops-nix.md"),
    ("vault-init/src/", "explanation/server.md#initialisation"),
    ("vault-node/src/", "explanation/server.md#a-cluster"),
    (
        "vault-node/src/status.rs",
        "runbook/VaultNodeUnreachable.md",
    ),
    (
        "vault-plan/src/",
        "explanation/new-host.md#vault-plan-compare-before-a-deployment",
    ),
    (
        "vault-plan/src/generate.rs",
        "how-to/write-secret.md#random-values-that-nobody-types",
    ),
    ("vault-plan/src/missing_rights.rs", "how-to/operator.md"),
    ("vault-secrets/src/", "explanation/units.md"),
    (
        "vault-secrets/src/fetch.rs",
        "runbook/VaultSecretMissing.md",
    ),
    (
        "vault-secrets/src/fetch_all/",
        "runbook/VaultSecretMissing.md",
    ),
    ("vault-secrets/src/render.rs", "how-to/templates.md"),
    ("vault-secrets/src/rotate/", "explanation/rotation.md"),
    (
        "vault-secrets/src/rotate/templates.rs",
        "how-to/templates.md",
    ),
    ("vault-secrets/src/status/", "runbook/VaultSecretMissing.md"),
    ("vault-secrets/src/watch.rs", "explanation/rotation.md"),
    ("vault-snapshot/src/", "how-to/snapshots.md"),
    ("vault-snapshot/src/drill/", "how-to/snapshots.md#drill"),
    ("vault-snapshot/src/platform/", "how-to/snapshots.md#drill"),
    (
        "vault-snapshot/src/restore.rs",
        "how-to/snapshots.md#restore",
    ),
    (
        "vault-snapshot/src/save/",
        "how-to/snapshots.md#when-it-does-not",
    ),
    (
        "vault-snapshot/src/signature.rs",
        "how-to/snapshots.md#sign-them",
    ),
    (
        "vault-snapshot/src/store/",
        "how-to/snapshots.md#settings-in-a-file",
    ),
    ("vault-unseal/src/", "explanation/server.md#unsealing"),
    (
        "vault-unwrap/src/",
        "explanation/new-host.md#vault-unwrap-look-up-then-trade",
    ),
    ("zts-cli/src/", "reference/commands.md"),
    ("zts-cli/src/key_file.rs", "explanation/server.md#unsealing"),
    (
        "zts-cli/src/token.rs",
        "explanation/client.md#where-credentials-go",
    ),
    ("zts-delivery/src/", "explanation/fetch.md#failures"),
    (
        "zts-delivery/src/systemd_creds.rs",
        "explanation/fetch.md#the-cached-copy",
    ),
    ("zts-exposition/src/", "runbook/VaultTextfileDamaged.md"),
    ("zts-infra-edit/src/", PLAN),
    ("zts-net/src/", "explanation/client.md#certificates"),
    ("zts-net/src/transport.rs", "runbook/openbao-unreachable.md"),
    ("zts-openbao/src/", "explanation/client.md"),
    ("zts-openbao/src/address.rs", "explanation/client.md#names"),
    (
        "zts-openbao/src/destination.rs",
        "explanation/client.md#where-credentials-go",
    ),
    ("zts-openbao/src/error.rs", "explanation/fetch.md#failures"),
    ("zts-s3/src/", "how-to/snapshots.md#when-it-does-not"),
    (
        "zts-secure-fs/src/",
        "explanation/trust.md#the-places-of-each-secret",
    ),
];
const PLAN: &str =
    "explanation/new-host.md#how-create-host-works-plan-write-evaluate-apply-issue-deliver";

/// Expressions that are another message: an error with a text of its own, or a failure's message.
const MESSAGES: [&str; 5] = ["error", "cause", "problem", "place", "failure.message"];

/// Messages that no call or attribute has as a literal.
const ELSEWHERE: [(&str, &str); 7] = [
    (
        "create-host/src/init/answers.rs",
        "the fleet's files leave … questions open: …",
    ),
    (
        "zts-delivery/src/leader.rs",
        "OpenBao at `…` finds no leader",
    ),
    (
        "vault-snapshot/src/save/download.rs",
        "OpenBao's snapshot ends too early: …",
    ),
    (
        "vault-snapshot/src/save/download.rs",
        "OpenBao's snapshot is damaged: …",
    ),
    (
        "vault-unwrap/src/job.rs",
        "the credentials and the wrapping token of this host stay: …",
    ),
    (
        "vault-secrets/src/rotate/rollouts.rs",
        "version … was rolled back, and version … is in place: …",
    ),
    (
        "zts-delivery/src/fetch/mod.rs",
        "`…` comes from the cache: …",
    ),
];

/// Texts of the runbook's table that OpenBao prints, or that are the state of a host and no error.
const OF_OTHERS: [&str; 2] = ["Sealed true", "active cluster node not found"];

/// A message, after its order in the index: by its letters, whatever their case.
type Indexed = BTreeMap<(String, String), BTreeSet<String>>;

#[test]
fn each_message_leads_to_its_page() {
    let mut text = "# Messages\n\n\
        The errors and warnings of all programs, each with the page about it. `…` is a name, a path, a number\n\
        or the cause. A line of a program often has several of these messages, with colons between them:\n\
        search for each. [Commands](commands.md) explains arguments, and the [runbook](../runbook/index.md)\n\
        the messages of a host whose service does not start.\n"
        .to_owned();
    let mut section = None;
    for ((order, message), pages) in index_messages() {
        let letter = order
            .chars()
            .next()
            .map(|letter| letter.to_ascii_uppercase());
        if section != letter {
            section = letter;
            write!(text, "\n## {}\n\n", letter.unwrap_or_default()).expect("text");
        }
        let links: Vec<_> = pages.iter().map(|page| link(page)).collect();
        writeln!(text, "- {}: {}", code(&message), links.join(", ")).expect("text");
    }
    reference::current(INDEX, &text);
}

/// Returns all messages with their pages.
fn index_messages() -> Indexed {
    let of_runbook = messages_of_runbook();
    let mut indexed = Indexed::new();
    let mut homeless = Vec::new();
    let texts = all_sources()
        .into_iter()
        .flat_map(|(file, source)| messages_of(&file, &source));
    for Message { text, file } in texts.chain(elsewhere()) {
        let Some(page) = page_of(&text, &file, &of_runbook) else {
            homeless.push(format!("{file}: {text}"));
            continue;
        };
        // A part that follows the name of what it is about.
        let text = if text.starts_with([',', ':']) {
            format!("{VALUE}{text}")
        } else {
            text
        };
        let order: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
        let place = (order.to_ascii_lowercase(), text);
        indexed.entry(place).or_default().insert(page);
    }
    assert!(
        homeless.is_empty(),
        "`PLACES` has no page for:\n{}",
        homeless.join("\n")
    );
    indexed
}

fn all_sources() -> Vec<(String, String)> {
    zts_book::sources(&root().join("crates"))
}

fn elsewhere() -> impl Iterator<Item = Message> {
    ELSEWHERE.into_iter().map(|(file, text)| Message {
        text: text.to_owned(),
        file: file.to_owned(),
    })
}

fn page_of(text: &str, file: &str, of_runbook: &[(String, String)]) -> Option<String> {
    let in_runbook = of_runbook
        .iter()
        .find(|(part, _)| text.contains(part.as_str()));
    let place = || {
        let places = PLACES.iter().filter(|(place, _)| file.starts_with(place));
        places.max_by_key(|(place, _)| place.len())
    };
    match in_runbook {
        Some((_, page)) => Some(page.clone()),
        None => place().map(|(_, page)| (*page).to_owned()),
    }
}

/// Returns the texts of the runbook's table, with the pages to which it leads.
fn messages_of_runbook() -> Vec<(String, String)> {
    let index = read("runbook/index.md");
    let (_, table) = index.split_once("## By message").expect("it has the table");
    let (table, _) = table.split_once("\n## ").expect("the table ends");
    let mut found = Vec::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let Outline { links, codes, .. } = Outline::parse(row);
        let Some(link) = links.first() else {
            continue; // nothing is to be done
        };
        let page = match link.target.strip_prefix("../") {
            Some(page) => page.to_owned(),
            None => format!("runbook/{}", link.target),
        };
        for code in codes {
            let parts = code.split(VALUE).map(str::trim);
            let part = parts.max_by_key(|part| part.len()).unwrap_or_default();
            found.push((part.to_owned(), page.clone()));
        }
    }
    found
}

/// Returns a link from the index to a page, with the title of the page or of its part.
fn link(page: &str) -> String {
    let (file, anchor) = page.split_once('#').unwrap_or((page, ""));
    let text = read(file);
    let mut headings = text.lines().filter(|line| line.starts_with('#'));
    let heading = match anchor {
        "" => headings.next(),
        _ => headings.find(|line| Outline::parse(line).anchors.contains(anchor)),
    };
    let heading = heading.unwrap_or_else(|| panic!("`{page}` has no such heading"));
    let title = heading.trim_start_matches('#').trim();
    let title = title.split(": ").next().unwrap_or_default();
    match file.strip_prefix("reference/") {
        Some(neighbour) => format!("[{title}]({neighbour})"),
        None => format!("[{title}](../{page})"),
    }
}

/// Returns a text as code, which may have backticks itself.
fn code(text: &str) -> String {
    if text.contains('`') {
        format!("`` {} ``", text.trim())
    } else {
        format!("`{}`", text.trim())
    }
}

#[test]
fn failures_have_texts_that_are_known() {
    let mut unknown = Vec::new();
    for (file, source) in all_sources() {
        for failure in indirect_failures_of(&file, &source) {
            let name = failure.expression.as_str();
            let is_known = MESSAGES.contains(&name)
                || source.contains(&format!("let {name} = format!("))
                || ELSEWHERE.iter().any(|(other, _)| *other == file);
            if !is_known {
                unknown.push(failure);
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn each_message_of_the_runbook_is_one_of_a_program() {
    let messages = index_messages();
    for (part, page) in messages_of_runbook() {
        let is_known = messages.keys().any(|(_, message)| message.contains(&part));
        let is_of_others = OF_OTHERS.contains(&part.as_str());
        assert!(is_known != is_of_others, "`{part}`, for which `{page}` is");
    }
}

#[test]
fn hints_name_pages_that_exist() {
    let mut count = 0;
    for (_, source) in all_sources() {
        for folder in ["runbook", "how-to", "explanation"] {
            for named in source.split(&format!("\"{folder}/")).skip(1) {
                let (page, _) = named.split_once('"').expect("the literal ends");
                link(&format!("{folder}/{page}"));
                count += 1;
            }
        }
    }
    assert!(count > 10, "only {count} pages are named");
}

/// Each quotation of a page is the output of a program, as other tests find.
#[test]
fn each_error_that_a_page_quotes_is_in_the_index() {
    let messages = index_messages();
    let mut count = 0;
    let mut missing = Vec::new();
    for page in pages("") {
        let text = read(&page);
        let lines = text.lines().map(str::trim_start);
        for line in
            lines.filter(|line| line.starts_with("error: ") || line.starts_with("warning: "))
        {
            if ["error: …", "warning: …"]
                .iter()
                .any(|start| line.starts_with(start))
            {
                continue; // the page leaves out the rest
            }
            count += 1;
            let lengths = messages
                .keys()
                .map(|(_, message)| match_message(message, line));
            if lengths.max().unwrap_or_default() < 9 {
                missing.push(format!("{page}: {line}"));
            }
        }
    }
    assert!(count > 15, "only {count} messages are quoted");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
