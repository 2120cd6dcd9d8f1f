//! The pages of the alerts: what each has one type, in a state like the alert's. What only a
//! machine with systemd answers is held against the rendered units.

use std::fs;

use serde_json::json;
use zts_book::{Command, Outline, Step, Values, pages, steps};
use zts_testkit::{Run, ScratchDir, scratch_dir};

use crate::{
    host::{FETCH, Host},
    machine, operator, programs,
    shell::{Shells, Surroundings},
    site::Site,
    symptoms,
};

/// Pages whose symptom is looked for on a cluster that is well, too.
const OF_A_CLUSTER: [&str; 9] = [
    "VaultDrillFailed.md",
    "VaultSnapshotDatedAhead.md",
    "VaultNodeUnreachable.md",
    "VaultQuorumAtRisk.md",
    "VaultPeerUnhealthy.md",
    "VaultNodeSealed.md",
    "VaultNoLeader.md",
    "VaultSnapshotFailed.md",
    "VaultStandbyPassesReadsOn.md",
];
/// The same on a host that is well, and on its node.
const OF_A_HOST: [&str; 7] = [
    "VaultCertificateNotRenewed.md",
    "VaultCertificateExpiresSoon.md",
    "VaultSecretMissing.md",
    "VaultRotationFailed.md",
    "VaultSecretFromCache.md",
    "VaultVersionRejected.md",
    "VaultCredentialsRefused.md",
];
/// The same on a host whose template is rendered, which the procedure about templates makes.
pub(crate) const OF_A_TEMPLATE: &str = "VaultTemplateMissing.md";
/// The same where an exporter runs that is well.
const OF_AN_EXPORTER: [&str; 2] = ["VaultExporterMissing.md", "VaultTextfileDamaged.md"];

/// Returns the commands of a page that show the problem.
pub(crate) fn symptom(name: &str) -> Vec<Step> {
    symptoms::read_symptoms(&format!("runbook/{name}"))
}

/// Returns the commands of a page, except those that only a machine with systemd answers.
pub(crate) fn typed(name: &str) -> Vec<Step> {
    let steps = steps(&zts_book::read(&format!("runbook/{name}")));
    let runs = |step: &Step| matches!(step, Step::Run(command) if !machine::answers(&command.text));
    steps.into_iter().filter(runs).collect()
}

#[test]
fn on_a_cluster() {
    zts_testkit::require_bao!();
    let mut site = Site::new();
    operator::log_in(&mut site);
    let snapshots = a_snapshot(&mut site);
    site.stand_in("/srv/snapshots", &snapshots.display().to_string());
    for page in OF_A_CLUSTER {
        assert!(
            !site.shows(&symptom(page)),
            "`{page}` is for a cluster that is well"
        );
    }
    site.follow(&typed("VaultRaftLag.md"));
    damage(&snapshots);
    site.follow(&typed("VaultDrillFailed.md"));
    date_ahead(&snapshots);
    site.follow(&typed("VaultSnapshotDatedAhead.md"));
    site.node("bao2").kill();
    for page in [
        "VaultNodeUnreachable.md",
        "VaultQuorumAtRisk.md",
        "VaultPeerUnhealthy.md",
    ] {
        site.follow(&typed(page));
    }
    site.node("bao2").start_sealed();
    site.follow(&typed("VaultNodeSealed.md"));
    site.node("bao3").kill();
    for page in ["VaultNoLeader.md", "VaultSnapshotFailed.md"] {
        site.follow(&typed(page));
    }
}

#[test]
fn on_a_cluster_whose_audit_devices_differ() {
    zts_testkit::require_bao!();
    let mut site = Site::on(zts_testkit::Cluster::start_with_key_shares_and_differing_audit());
    site.follow(&typed("VaultStandbyPassesReadsOn.md"));
}

#[test]
fn where_the_exporter_runs() {
    zts_testkit::require_bao!();
    zts_testkit::require_program!("curl");
    let folder = scratch_dir();
    let metrics = folder.join("metrics.prom");
    fs::write(&metrics, "unsealer_figure 1\n").expect("a file is written");
    let nobody = zts_testkit::closed_port();
    let node = nobody.address();
    let exporter = Run::new(programs::build_programs().join("vault-exporter"))
        .args(["--node", &node, "--listen", "127.0.0.1:0"])
        .start();
    let surroundings = Surroundings {
        variables: Values::from([("PATH".to_owned(), programs::path())]),
        stands_for: vec![
            ("127.0.0.1:9410".to_owned(), exporter.listen_address()),
            ("https://10.0.0.21:8200".to_owned(), node.clone()),
            (
                "/var/lib/vault-unseal".to_owned(),
                folder.display().to_string(),
            ),
        ],
        folder: None,
    };
    let mut shells = Shells::new(Values::new());
    for page in OF_AN_EXPORTER {
        let mut looks = symptom(page).into_iter().map(run);
        let all = looks.all(|look| shells.shows(&look, &surroundings));
        assert!(!all, "`{page}` is for an exporter that is well");
    }
    drop(exporter);
    fs::write(metrics, "no metrics\n").expect("a file is damaged");
    for page in OF_AN_EXPORTER {
        for step in typed(page) {
            shells.run(&run(step), &surroundings);
        }
    }
}

#[test]
fn on_a_host_and_on_its_node() {
    zts_testkit::require_bao!();
    let mut host = Host::new();
    host.enrol();
    host.declare(&[]);
    host.server.stop();
    assert!(!host.start(FETCH));
    host.follow_steps(typed("VaultSecretMissing.md"));
    host.server.restart();
    assert!(host.start(FETCH));
    for page in OF_A_HOST {
        assert!(
            !host.shows(&symptom(page)),
            "`{page}` is for a host that is well"
        );
    }
    host.show_a_certificate_of(28);
    for page in [
        "VaultCertificateNotRenewed.md",
        "VaultCertificateExpiresSoon.md",
        "VaultAuthorityExpiresSoon.md",
    ] {
        host.follow_steps(typed(page));
    }
    host.server.stop();
    assert!(!host.rotate(), "OpenBao is down");
    host.follow_steps(typed("VaultRotationFailed.md"));
    assert!(host.start(FETCH), "the copy stands in");
    host.follow_steps(typed("VaultSecretFromCache.md"));
    host.server.restart();
    assert!(host.rotate(), "the copy is confirmed");
    host.declare(&["user"]);
    let newer = json!({ "password": "battery staple" });
    host.server.put_secret("hosts/web01/db", &newer);
    assert!(!host.rotate(), "a key is missing");
    host.declare(&[]);
    host.follow_steps(typed("VaultVersionRejected.md"));
    host.server.delete_role("web01");
    assert!(!host.start(FETCH));
    host.follow_steps(typed("VaultCredentialsRefused.md"));
}

/// The command of `monitoring.md`, on a copy of the alerts.
#[test]
fn alerts_get_the_addresses_of_their_pages() {
    let page = zts_book::read("monitoring.md");
    let mut commands = page.lines().filter(|line| line.starts_with("$ sed "));
    let command = commands.next().expect("the page has the command");
    let folder = scratch_dir();
    let copy = folder.join("alerts.yml");
    fs::copy(zts_book::root().join("monitoring/alerts.yml"), &copy).expect("it is copied");
    Run::new("/bin/sh")
        .args(["-c", command.trim_start_matches("$ ")])
        .current_dir(&folder)
        .succeed();
    let alerts = fs::read_to_string(copy).expect("it is read");
    let address = "runbook_url: https://wiki.example.internal/openbao/runbook/VaultNoLeader.html\n";
    assert!(alerts.contains(address), "{alerts}");
    assert!(!alerts.contains("runbook_url: docs/"), "{alerts}");
}

/// Every page with something to run is followed above; the rest of each is right.
#[test]
fn every_command_of_every_page() {
    let this = include_str!("alerts.rs");
    let alerts = fs::read_to_string(zts_book::root().join("monitoring/alerts.yml"));
    let alerts = alerts.expect("there are alerts");
    let mut count = 0;
    for page in pages("runbook") {
        let name = page.trim_start_matches("runbook/");
        let alert = name.trim_end_matches(".md");
        if !alerts.contains(&format!("- alert: {alert}\n")) {
            continue;
        }
        count += 1;
        assert!(
            !steps(&zts_book::read(&page)).is_empty(),
            "`{page}` has no commands"
        );
        let followed = this.contains(&format!("\"{name}\""));
        assert_eq!(
            followed,
            !typed(name).is_empty(),
            "`{page}` is followed, or has nothing to run"
        );
        let weighed = symptoms::TO_BE_WEIGHED
            .iter()
            .any(|(page, _)| *page == name);
        let differ = OF_A_CLUSTER.iter().chain(&OF_A_HOST).chain(&OF_AN_EXPORTER);
        let mut differ = differ.chain(&[OF_A_TEMPLATE]);
        assert_eq!(
            followed,
            weighed || differ.any(|page| *page == name),
            "nobody looks whether `{page}` shows the same where all is well"
        );
        for code in Outline::parse(&zts_book::read(&page)).codes {
            if ["systemctl ", "journalctl "]
                .iter()
                .any(|start| code.starts_with(start))
            {
                assert!(machine::answers(&code), "`{page}`: `{code}`");
            }
        }
    }
    assert_eq!(
        count,
        alerts.matches("- alert: ").count(),
        "each alert has a page"
    );
}

fn run(step: Step) -> Command {
    match step {
        Step::Run(command) => command,
        Step::Configure(..) => panic!("nothing is configured here"),
    }
}

/// Makes the snapshot in a folder one that a wrong clock dated.
fn date_ahead(folder: &ScratchDir) {
    let files = fs::read_dir(&**folder).expect("the folder is listed");
    let names = files.flatten().map(|entry| entry.file_name());
    let names: Vec<_> = names.filter_map(|name| name.into_string().ok()).collect();
    let description = names.iter().find(|name| name.ends_with(".snap.json"));
    let description = description.expect("there is a snapshot");
    let snapshot = description.trim_end_matches(".json");
    let text = fs::read_to_string(folder.join(description)).expect("it is described");
    let taken_at = text
        .split("\"taken_at\": \"")
        .nth(1)
        .expect("it has a time");
    let (year, later) = (&taken_at[..4], "2199");
    let ahead = snapshot.replace(&format!("-{year}-"), &format!("-{later}-"));
    fs::rename(folder.join(snapshot), folder.join(&ahead)).expect("it is renamed");
    let text = text.replace(
        &format!("\"taken_at\": \"{year}"),
        &format!("\"taken_at\": \"{later}"),
    );
    fs::write(folder.join(format!("{ahead}.json")), text).expect("it is described anew");
    fs::remove_file(folder.join(description)).expect("the old description is gone");
}

/// A folder with a snapshot.
fn a_snapshot(site: &mut Site) -> ScratchDir {
    let folder = scratch_dir();
    let node = site.node("bao1");
    Run::new(programs::build_programs().join("vault-snapshot"))
        .args(["save".as_ref(), "--dir".as_ref(), folder.as_os_str()])
        .server(node)
        .env("BAO_TOKEN", node.root_token())
        .succeed();
    folder
}

/// Changes the snapshot where it lies.
fn damage(folder: &ScratchDir) {
    let files = fs::read_dir(&**folder)
        .expect("the folder is read")
        .flatten();
    let mut archives = files.filter(|file| file.file_name().to_string_lossy().ends_with(".snap"));
    let snapshot = archives.next().expect("there is a snapshot").path();
    let mut content = fs::read(&snapshot).expect("the snapshot is read");
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(&snapshot, content).expect("the snapshot is damaged");
}
