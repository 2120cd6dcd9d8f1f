//! OpenBao is called by its name, and the DNS server answers for IPv4 only, or not at all.

use std::time::Duration;

use serde_json::json;
use zts_testkit::{
    DnsAnswer::{self, Failure, NoSuchName, Right, Silence},
    DnsServer, find_program,
};

use crate::host::{Fetch, Host, files};

/// Returns a fetch through a name whose addresses `server` knows.
fn fetch_by_name<'a>(host: &'a Host, server: &DnsServer) -> Fetch<'a> {
    let address = host
        .server
        .address()
        .replace("127.0.0.1", "bao.example.internal");
    host.fetch().address(address).dns(server)
}

fn start(ipv4: DnsAnswer, ipv6: DnsAnswer) -> Option<DnsServer> {
    find_program("unshare")?;
    DnsServer::start(ipv4, ipv6)
}

#[test]
fn an_address_of_one_family_is_enough() {
    zts_testkit::require_bao!();
    for ipv6 in [Right, NoSuchName, Failure, Silence] {
        let Some(server) = start(Right, ipv6) else {
            zts_testkit::skip!("a DNS server needs root and unshare");
        };
        let host = Host::new(&format!("dns-{ipv6:?}").to_lowercase());
        host.put(&json!({ "password": "hunter2-by-name" }));
        let output = fetch_by_name(&host, &server).run();
        assert_eq!(output.code(), Some(0), "{ipv6:?}: {output}");
        assert_eq!(host.files(), files([("password", "hunter2-by-name")]));
        let limit = zts_testkit::scale_timeout(Duration::from_secs(2));
        assert!(output.time < limit, "{ipv6:?}: {:?}", output.time);
    }
}

#[test]
fn a_dns_server_without_an_answer_takes_no_longer_than_the_deadline() {
    zts_testkit::require_bao!();
    for answer in [NoSuchName, Failure, Silence] {
        let Some(server) = start(answer, answer) else {
            zts_testkit::skip!("a DNS server needs root and unshare");
        };
        let host = Host::new(&format!("no-dns-{answer:?}").to_lowercase())
            .with_cached(&json!({ "password": "hunter2-of-the-cache" }));
        let output = fetch_by_name(&host, &server).cached().run();
        assert_eq!(output.code(), Some(0), "{answer:?}: {output}");
        let limit = zts_testkit::scale_timeout(Duration::from_secs(2));
        assert!(output.time < limit, "{answer:?}: {:?}", output.time);
        let output = fetch_by_name(&host, &server).deadline("1s").run();
        assert_eq!(output.code(), Some(1), "{answer:?}: {output}");
        let limit = zts_testkit::scale_timeout(Duration::from_secs(3));
        assert!(output.time < limit, "{answer:?}: {:?}", output.time);
    }
}
