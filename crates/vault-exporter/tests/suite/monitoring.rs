//! The alerts, relabelling rules, dashboard and runbook, tested with Prometheus.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    time::Duration,
};

use regex::Regex;
use serde_json::{Value, json};
use zts_testkit::{CertificateKind, Run, Server, closed_port, wait_for};

use crate::{Exporter, run};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("`{path}`: {error}"))
}

fn captures(pattern: &str, text: &str) -> Vec<String> {
    let pattern = Regex::new(pattern).unwrap();
    let found = pattern.captures_iter(text);
    found.map(|captures| captures[1].to_owned()).collect()
}

/// Returns the text of each alert's rule by its name.
fn alerts() -> BTreeMap<String, String> {
    let text = read("monitoring/alerts.yml");
    let rules: Vec<_> = text.split("- alert: ").skip(1).collect();
    let named = rules.iter().map(|rule| {
        let (name, rest) = rule.split_once('\n').unwrap();
        (name.to_owned(), rest.to_owned())
    });
    let alerts: BTreeMap<_, _> = named.collect();
    assert_eq!(alerts.len(), rules.len(), "each name once");
    alerts
}

/// Returns the expressions of the dashboard.
fn expressions(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten();
    targets
        .map(|target| target["expr"].as_str().unwrap().to_owned())
        .collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&read("monitoring/dashboard.json")).unwrap()
}

#[test]
fn the_alerts_are_valid_and_fire_when_they_should() {
    let promtool = zts_testkit::require_program!("promtool");
    let folder = repository("monitoring");
    let tool = |arguments: &[&str]| {
        Run::new(&promtool)
            .args(arguments)
            .current_dir(&folder)
            .succeed();
    };
    tool(&["check", "rules", "alerts.yml"]);
    tool(&[
        "test",
        "rules",
        "alerts.test.yml",
        "alerts-over-days.test.yml",
    ]);
}

/// Rules that never fire fail the tests of all alerts.
#[test]
fn the_tests_of_the_alerts_can_fail() {
    let promtool = zts_testkit::require_program!("promtool");
    let folder = zts_testkit::scratch_dir();
    let never = Regex::new(r"(?s)expr: \|\n.*?\n(        (?:for|labels):)").unwrap();
    let mute = never
        .replace_all(&read("monitoring/alerts.yml"), "expr: vector(0) > 1\n$1")
        .into_owned();
    fs::write(folder.join("alerts.yml"), mute).unwrap();
    let mut failed = BTreeSet::new();
    for file in ["alerts.test.yml", "alerts-over-days.test.yml"] {
        fs::write(folder.join(file), read(&format!("monitoring/{file}"))).unwrap();
        let output = Run::new(&promtool)
            .args(["test", "rules", file])
            .current_dir(&*folder)
            .run()
            .assert_status(1);
        let text = format!("{}{}", output.stdout, output.stderr);
        failed.extend(captures(r#"exp: \{alertname="(\w+)""#, &text));
    }
    let all: BTreeSet<_> = alerts().into_keys().collect();
    assert_eq!(failed, all);
}

#[test]
fn each_alert_has_its_page_and_each_page_its_alert() {
    let alerts = alerts();
    let index = read("docs/runbook/index.md");
    for (name, rule) in &alerts {
        for part in ["severity: ", "summary: ", "description: "] {
            assert!(rule.contains(part), "{name} has no `{part}`");
        }
        let severity = captures(r"severity: (\w+)", rule);
        assert!(
            ["warning", "critical"].contains(&severity[0].as_str()),
            "{name}: {severity:?}"
        );
        assert!(
            rule.contains(&format!("runbook_url: docs/runbook/{name}.md\n")),
            "{name}"
        );
        let page = read(&format!("docs/runbook/{name}.md"));
        assert!(page.starts_with(&format!("# {name}\n")), "{name}");
        for part in [
            "\n**Symptom.** ",
            "\n**Impact.** ",
            "\n## How to look\n",
            "\n## Fix\n",
        ] {
            assert!(
                page.contains(part),
                "the page of {name} has no `{}`",
                part.trim()
            );
        }
        for link in captures(r"\]\(([^)#:]+)\)", &page) {
            assert!(
                repository("docs/runbook").join(&link).exists(),
                "{name} links to `{link}`"
            );
        }
        assert!(
            index.contains(&format!("| [{name}]({name}.md) | {} | ", severity[0])),
            "{name}"
        );
    }
    let pages = fs::read_dir(repository("docs/runbook")).unwrap();
    for page in pages.map(|page| page.unwrap().file_name().into_string().unwrap()) {
        let name = page.strip_suffix(".md").unwrap();
        // The others are about messages (`no-cache.md`); `crates/zts-book` follows them.
        let of_an_alert = name.starts_with("Vault");
        assert!(
            !of_an_alert || alerts.contains_key(name),
            "{page} is about no alert"
        );
    }
    assert_eq!(captures(r"\n\| \[(\w+)\]", &index).len(), alerts.len());
}

#[test]
fn the_dashboard_can_be_imported() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels
        .iter()
        .map(|panel| panel["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids.len(), panels.len());
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().unwrap();
        assert!(
            panel["description"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{title}"
        );
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let place = &panel["gridPos"];
        assert!(
            place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap() <= 24,
            "{title}"
        );
    }
    let promtool = zts_testkit::require_program!("promtool");
    let rules: Vec<_> = expressions(&dashboard)
        .iter()
        .enumerate()
        .map(|(index, expression)| {
            let expression = expression.replace("$__rate_interval", "5m");
            json!({ "record": format!("expression:{index}"), "expr": expression })
        })
        .collect();
    let folder = zts_testkit::scratch_dir();
    let groups = json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    fs::write(folder.join("rules.yml"), groups.to_string()).unwrap();
    Run::new(promtool)
        .args(["check", "rules", "rules.yml"])
        .current_dir(&*folder)
        .succeed();
}

/// A Prometheus that scrapes an OpenBao and an exporter, with what is shipped.
struct Prometheus {
    address: String,
    _process: zts_testkit::Running,
    _folder: zts_testkit::ScratchDir,
}

impl Prometheus {
    fn start(program: &Path, server: &Server, exporter: &Exporter) -> Self {
        let folder = zts_testkit::scratch_dir();
        let place = |address: &str| address.split_once("://").unwrap().1.to_owned();
        let authority = server.ca_certificate().unwrap();
        let relabelling: Value = serde_json::from_str(&read("monitoring/relabel.json")).unwrap();
        let configuration = json!({
            "global": { "scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s" },
            "rule_files": [repository("monitoring/alerts.yml").canonicalize().unwrap()],
            "scrape_configs": [
                {
                    "job_name": "openbao",
                    "scheme": "https",
                    "metrics_path": "/v1/sys/metrics",
                    "params": { "format": ["prometheus"] },
                    "tls_config": { "ca_file": authority },
                    "metric_relabel_configs": relabelling,
                    "static_configs": [{ "targets": [place(&server.address())] }],
                },
                {
                    "job_name": "vault-exporter",
                    "static_configs": [{ "targets": [exporter.address] }],
                },
            ],
        });
        fs::write(folder.join("prometheus.yml"), configuration.to_string()).unwrap();
        let address = closed_port();
        let listen = place(&address.address());
        let process = Run::new(program)
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address={listen}"))
            .current_dir(&*folder)
            .start();
        let prometheus = Self {
            address: listen,
            _process: process,
            _folder: folder,
        };
        wait_for("Prometheus has scraped both", || {
            let up = prometheus.query("up")?;
            let good = up.iter().filter(|sample| sample["value"][1] == "1");
            (good.count() == 2).then_some(())
        });
        drop(address);
        prometheus
    }

    fn get(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let answer: Value = serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()?;
        Some(answer["data"].clone())
    }

    fn query(&self, metric: &str) -> Option<Vec<Value>> {
        let data = self.get(&format!("/api/v1/query?query={metric}"))?;
        Some(data["result"].as_array()?.clone())
    }

    /// Returns the state of each alert: `inactive`, `pending` or `firing`. No rule may fail to
    /// evaluate.
    fn alerts(&self) -> BTreeMap<String, String> {
        let data = self.get("/api/v1/rules").unwrap();
        let groups = data["groups"].as_array().unwrap().iter();
        let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
        rules
            .map(|rule| {
                assert_ne!(rule["health"], "err", "{rule}");
                let text = |field: &str| rule[field].as_str().unwrap().to_owned();
                (text("name"), text("state"))
            })
            .collect()
    }

    fn names(&self) -> BTreeSet<String> {
        let data = self.get("/api/v1/label/__name__/values").unwrap();
        let names = data.as_array().unwrap().iter();
        names
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    }

    /// Returns the values of a label of a metric.
    fn labels(&self, metric: &str, label: &str) -> BTreeSet<String> {
        let samples = self.query(metric).unwrap();
        let values = samples
            .iter()
            .filter_map(|sample| sample["metric"][label].as_str());
        values.map(str::to_owned).collect()
    }
}

/// The metrics of alerts and dashboard exist, and relabelling moves OpenBao's names into labels.
#[test]
fn metrics_of_alerts_and_dashboard_exist() {
    zts_testkit::require_bao!();
    let prometheus = zts_testkit::require_program!("prometheus");
    let mut server = Server::builder()
        .tls(CertificateKind::Valid)
        .raft()
        .audit()
        .metrics()
        .start();
    let host = server.add_host("web01");
    let login = json!({ "role_id": host.role_id, "secret_id": host.secret_id });
    server.write("auth/approle/login", &login);
    server.put_secret("hosts/web01/db", &json!({ "password": "hunter2" }));
    server.write("sys/mounts/teams/a-b.c", &json!({ "type": "kv" }));
    server.write("teams/a-b.c/x", &json!({ "a": "b" }));
    let node = format!("--node=a={}", server.address());
    let exporter = Exporter::start(run(&[&node]).server(&server));
    let prometheus = Prometheus::start(&prometheus, &server, &exporter);

    wait_for("autopilot has checked its node", || {
        prometheus
            .names()
            .contains("vault_autopilot_node_healthy")
            .then_some(())
    });
    let scraped = prometheus.names();
    let unexpected = scraped.iter().filter(|name| {
        let ours = ["vault_route", "vault_route_sum", "vault_route_count"];
        name.starts_with("vault_route") && !ours.contains(&name.as_str())
            || name.starts_with("vault_audit_file_")
    });
    let unexpected: Vec<_> = unexpected.collect();
    assert!(
        unexpected.is_empty(),
        "names that should have become labels: {unexpected:?}"
    );
    let mounts = prometheus.labels("vault_route_count", "mount");
    for mount in ["secret", "teams_a_b_c", "auth_approle", "sys"] {
        assert!(mounts.contains(mount), "{mount}: {mounts:?}");
    }
    let operations = prometheus.labels("vault_route_count", "operation");
    assert!(
        operations.contains("update") && operations.contains("create"),
        "{operations:?}"
    );
    let devices = prometheus.labels("vault_audit_device_log_request_count", "device");
    assert_eq!(devices, BTreeSet::from(["file".to_owned()]));
    assert!(!prometheus.labels("vault_route", "quantile").is_empty());

    let documented: BTreeSet<_> = captures(r"(?m)^\| `(\w+)`", &read("docs/metrics.md"))
        .into_iter()
        .collect();
    let mut texts: Vec<_> = alerts().into_iter().collect();
    let dashboard = expressions(&dashboard()).join("\n");
    texts.push(("the dashboard".to_owned(), dashboard));
    let name = Regex::new(r"\bvault_\w+").unwrap();
    let mut count = 0;
    for (place, text) in &texts {
        for name in name.find_iter(text).map(|found| found.as_str()) {
            count += 1;
            let exists = scraped.contains(name) || documented.contains(name);
            assert!(exists, "{place}: there is no metric `{name}`");
        }
    }
    assert!(count > 80, "{count} names were checked");
    let ours = documented
        .iter()
        .filter(|name| name.starts_with("vault_cluster_"));
    let missing: Vec<_> = ours.filter(|name| !scraped.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");

    let state = |name: &str| prometheus.alerts()[name].clone();
    assert_eq!(prometheus.alerts().len(), alerts().len());
    assert_eq!(state("VaultNodeUnreachable"), "inactive");
    server.stop();
    wait_for("the alerts are pending", || {
        let both = ["VaultNodeUnreachable", "VaultNoLeader"].map(state);
        (both == ["pending", "pending"]).then_some(())
    });
}
