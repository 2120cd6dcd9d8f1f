//! Markers of fetched secrets, which make systemd skip the secrets' own units.

use std::{
    fs::{self, File},
    os::unix::net::UnixDatagram,
    time::Duration,
};

use serde_json::json;
use zts_testkit::{Fault, Proxy, Run, Running, names_if_any};

use crate::{
    fetch_all::{fetch_all, from_copies, host_with, reboot, values},
    host::Host,
};

/// A `systemctl` that notes the markers at each call, and has skipped the unit of `s0` at the
/// second one. For `list-units`, it prints the lines of the file `units` that match.
const SYSTEMCTL: &str = r#"#!/bin/sh
cd "${0%/*}"
ls ../markers | tr '\n' ' ' >> seen
echo >> seen
verb=$1
while [ "$1" != -- ]; do shift; done
shift
if [ "$verb" = list-units ]; then
    while read -r line; do
        for pattern; do
            # systemd matches with FNM_NOESCAPE
            pattern=$(printf %s "$pattern" | sed 's/\\/\\\\/g')
            case ${line%% *} in
                $pattern) printf '%s\n' "$line" ;;
            esac
        done
    done < units
    exit
fi
read -r uptime _ < /proc/uptime
separator=
for unit; do
    printf "$separator"
    separator='\n'
    echo "Id=$unit"
    case $unit in
        vault-secret-s0.service) echo ActiveState=inactive ConditionResult=no | tr ' ' '\n'
            echo "ConditionTimestampMonotonic=$((${uptime%.*} + 1))000000" ;;
        *) echo ActiveState=inactive ;;
    esac
done
"#;

/// The lines of the file `units`.
const UNITS: &str = r"
vault-secret-s1.service loaded failed failed Secret s1 from OpenBao
up.service loaded active running Up
instance@a\x2db.service loaded active running Instance
reloads.service loaded reloading reload Reloads
starts.service loaded activating start-post Starts
waits.service loaded inactive dead start Waits
";

/// Returns the run with a folder for markers and the stand-in for systemd.
pub(crate) fn with_markers(host: &Host, run: Run) -> Run {
    fs::create_dir(host.path("markers")).unwrap();
    let path = host.write_program("systemctl", SYSTEMCTL);
    fs::write(host.path("bin/units"), UNITS).unwrap();
    run.args(["--markers".as_ref(), host.path("markers").as_os_str()])
        .env("PATH", path)
}

/// Starts a run as systemd does, and waits until it is ready.
fn start_until_ready(host: &Host) -> Running {
    let socket = UnixDatagram::bind(host.path("notify")).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let run = with_markers(host, fetch_all(host))
        .env("NOTIFY_SOCKET", host.path("notify"))
        .start();
    let mut message = [0; 64];
    let length = socket.recv(&mut message).unwrap();
    assert_eq!(&message[..length], b"READY=1\n");
    run
}

#[test]
fn markers_stand_until_systemd_has_skipped_the_units() {
    zts_testkit::require_bao!();
    let host = host_with("markers", 3);
    host.declare("absent", &json!({}));
    let run = start_until_ready(&host);
    assert_eq!(host.value("s2"), "s2");
    run.finish().assert_status(1);
    let seen = fs::read_to_string(host.path("bin/seen")).unwrap();
    let seen: Vec<_> = seen.lines().map(str::trim_end).collect();
    assert_eq!(seen[..3], ["", "s0 s2", "s2"]);
    assert_eq!(names_if_any(&host.path("markers")), Vec::<String>::new());
    let metrics = host.run(["metrics"]).run().stdout;
    let failures = "vault_secret_fetch_failures_total{secret=\"absent\"} 0";
    assert!(metrics.contains(failures), "its unit notes it: {metrics}");
}

/// The next start of such a service is a restart.
#[test]
fn no_secret_of_a_service_that_is_not_at_rest_has_a_marker() {
    zts_testkit::require_bao!();
    let host = host_with("services", 7);
    let services = [
        "up",
        r"instance@a\x2db",
        "reloads",
        "starts",
        "waits",
        "gone",
    ];
    for (number, service) in services.into_iter().enumerate() {
        let services = json!({ "services": [format!("{service}.service")] });
        host.declare(&format!("s{}", number + 1), &services);
    }
    with_markers(&host, fetch_all(&host)).succeed();
    let seen = fs::read_to_string(host.path("bin/seen")).unwrap();
    assert_eq!(seen.lines().nth(1), Some("s0 s5 s6 "));
}

#[test]
fn without_an_answer_of_systemd_there_is_no_marker() {
    zts_testkit::require_bao!();
    let host = host_with("no-answer", 2);
    let run = with_markers(&host, fetch_all(&host));
    let script = "#!/bin/sh\nls \"${0%/*}\"/../markers >> \"${0%/*}\"/seen\nexit 1\n";
    host.write_program("systemctl", script);
    run.succeed();
    assert_eq!(values(&host, 2), ["s0", "s1"]);
    assert_eq!(fs::read_to_string(host.path("bin/seen")).unwrap(), "");
}

#[test]
fn a_slow_server_is_left_to_the_units_after_a_second() {
    zts_testkit::require_bao!();
    let host = host_with("slow", 8);
    fetch_all(&host).succeed();
    reboot(&host);
    let proxy = Proxy::to(&host.server.address());
    proxy.always(Fault::Delay(Duration::from_millis(400)));
    let run = fetch_all(&host).env("BAO_ADDR", proxy.address());
    with_markers(&host, run).run().assert_status(1);
    assert_eq!(host.value("s0"), "s0");
    assert_eq!(host.value("s7"), "", "its own unit fetches it");
    from_copies(&host, &proxy.address(), "60s").assert_success();
    assert_eq!(host.value("s7"), "s7", "no unit waits for this run");
}

/// A `systemd-creds` that takes longer than a slow TPM, and fails.
const SLOW_SYSTEMD_CREDS: &str = "#!/bin/sh\ncat > /dev/null\nsleep 8\nexit 1\n";

/// Creates a host with twelve secrets, whose copies wait eight seconds for the key that they share.
fn host_with_slow_seals(name: &str) -> Host {
    let host = host_with(name, 12);
    for number in 0..12 {
        host.declare(&format!("s{number}"), &json!({ "seal_cache": "auto" }));
    }
    host.write_program("systemd-creds", SLOW_SYSTEMD_CREDS);
    host
}

#[test]
fn slow_seals_keep_neither_units_nor_markers_waiting() {
    zts_testkit::require_bao!();
    let host = host_with_slow_seals("slow-seals");
    zts_testkit::build_programs();
    let run = start_until_ready(&host);
    assert_eq!(values(&host, 12)[11], "s11");
    assert_eq!(host.copied("s0"), None);
    zts_testkit::wait_for("no marker is left", || {
        names_if_any(&host.path("markers")).is_empty().then_some(())
    });
    let copied = || (0..12).filter(|number| host.copied(&format!("s{number}")).is_some());
    assert!(copied().count() < 12, "copies are still being stored");
    host.put("s9", "newer"); // the copy that is stored last
    host.fetch("s9").succeed();
    run.finish().assert_success();
    assert_eq!(copied().count(), 12);
    assert_eq!(host.copied("s9"), Some(2), "of the run that came later");
}

#[test]
fn copies_of_a_killed_run_are_stored_by_the_next_one() {
    zts_testkit::require_bao!();
    let host = host_with_slow_seals("killed-before-copies");
    start_until_ready(&host).kill();
    assert_eq!(host.copied("s0"), None);
    fetch_all(&host).succeed();
    let copied = (0..12).map(|number| host.copied(&format!("s{number}")));
    assert_eq!(copied.flatten().count(), 12);
}

#[test]
fn locked_directories_keep_no_unit_waiting() {
    zts_testkit::require_bao!();
    let host = host_with("locked", 12);
    fetch_all(&host).succeed();
    let mut locked = Vec::new();
    for number in 0..12 {
        let name = format!("s{number}");
        fs::remove_dir_all(host.output(&name)).unwrap();
        let folder = File::open(host.state_dir(&name)).unwrap();
        folder.lock().unwrap();
        locked.push(folder);
    }
    let run = start_until_ready(&host);
    drop(locked);
    run.finish().assert_status(1);
    assert_eq!(host.value("s0"), "s0");
    assert_eq!(host.value("s9"), "", "its own unit fetches it");
}
