"""A cluster from empty disks, without a hand on it, and back after any reboot.

One after the other, all at once, and the node that unseals the others: each time the nodes must
serve again by themselves. Restarts by `vault-node
restart` refuse no request for longer than an election.
"""

took = cluster_from_nothing()
print(f"measured: three empty machines serve {took:.1f} s after power-on")

with subtest("the keys are root's alone, and nothing of them is in the journal"):
    assert bao1.succeed("stat -c '%a %U' /var/lib/openbao-init/unseal.json") == "600 root\n"
    assert (
        bao1.succeed("stat -c '%a %U %G' /var/lib/openbao-certs/key.pem")
        == "640 root openbao-tls\n"
    )
    kept = json.loads(bao1.succeed("cat /var/lib/openbao-init/unseal.json"))
    never_says(bao1, kept["root_token"], *kept["unseal_keys_b64"], *kept["unseal_keys_hex"])

with subtest("every request is in the audit log, which is begun anew and still written to"):
    as_root("bao kv put -mount=secret audited n=1")
    log = "/var/log/openbao/audit.log"
    bao1.succeed(f"grep -q secret/data/audited {log}")
    bao1.succeed("systemctl start openbao-audit-rotate.service")
    before = bao1.succeed(f"stat -c %i {log}")
    bao1.succeed(
        "conf=$(systemctl cat openbao-audit-rotate | grep -o '/nix/store/[^ ]*openbao-audit.conf');"
        " logrotate --force --state /tmp/state $conf"
    )
    as_root("bao kv put -mount=secret audited n=2")
    bao1.wait_until_succeeds(f"grep -q secret/data/audited {log}", timeout=60)
    assert bao1.succeed(f"stat -c %i {log}") != before

with subtest("metrics need no token"):
    url = "https://bao1:8200/v1/sys/metrics?format=prometheus"
    text = bao1.succeed(f"curl --silent --cacert /var/lib/openbao-certs/ca.pem '{url}'")
    assert "vault_core_unsealed" in text

with subtest("what OpenBao cannot say of itself is told from outside, and follows its CA"):
    exporter = "curl --silent --fail http://127.0.0.1:9410/metrics"
    bao1.wait_until_succeeds(f"{exporter} | grep -x 'vault_cluster_serving_nodes 3'", timeout=60)
    text = bao1.succeed(exporter)
    assert "vault_cluster_leaders 1\n" in text, text
    assert 'vault_node_sealed{node="bao3"} 0\n' in text, text
    assert 'vault_node_certificate_not_after_timestamp_seconds{node="bao2"}' in text, text
    assert 'vault_unseal_node_up{node="https://bao2:8200"} 1\n' in text, text
    assert "textfile_error" in text, text
    started = bao1.succeed("systemctl show --property ExecMainPID vault-exporter.service")
    authorities = "/var/lib/openbao-certs/ca.pem"
    bao1.succeed(f"cp -a {authorities} {authorities}.new && mv {authorities}.new {authorities}")
    bao1.wait_until_succeeds(
        f"[ $(systemctl show --property ExecMainPID vault-exporter.service) != {started.strip()} ]",
        timeout=60,
    )
    bao1.wait_until_succeeds(f"{exporter} | grep -x 'vault_cluster_serving_nodes 3'", timeout=60)

with subtest("each node rebooted, one after the other"):
    for name in NODES:
        machine = node(name)
        began = time.monotonic()
        machine.reboot()
        machine.wait_for_unit("multi-user.target", timeout=120)
        serving(machine, timeout=60)
        print(f"measured: {name} serves {time.monotonic() - began:.1f} s after its reboot began")

with subtest("all nodes without power at once"):
    for name in NODES:
        node(name).crash()
    began = time.monotonic()
    for name in NODES:
        node(name).start()
    bao1.wait_for_unit("multi-user.target", timeout=120)
    serving(bao1, timeout=60)
    print(f"measured: all nodes serve {time.monotonic() - began:.1f} s after power came back")
    assert as_root("bao kv get -mount=secret -field=n audited") == "2"

with subtest("sealed by hand: unsealed again"):
    name = leader(bao1)
    began = time.monotonic()
    as_root(f"export BAO_ADDR=https://{name}:8200; bao operator seal")
    serving(bao1, timeout=60)
    print(f"measured: all serve {time.monotonic() - began:.1f} s after the leader was sealed")

with subtest("a rolling restart under load fails no write"):
    fetch_credentials(bao2)
    writer(bao2, "rolling", 100, pause=0.05)
    fetcher(bao2, "fetches", 100)
    for name in sorted(NODES, key=lambda name: name == leader(bao1)):
        node(name).succeed("vault-node restart", timeout=120)
    bao2.wait_for_file("/tmp/rolling.done", timeout=120)
    bao2.wait_for_file("/tmp/fetches.done", timeout=120)
    writes = acknowledged(bao2, "rolling")
    assert lost(bao2, writes) == []
    worst = max(took for took, _ in writes.values())
    print(f"measured: rolling restart: {len(writes)} writes, the slowest {worst / 1000:.2f} s")
    assert bao2.succeed("cat /tmp/fetches.done").split() == ["100", "0"]

with subtest("a restart is refused while another node is down"):
    bao3.succeed("systemctl stop openbao.service")
    bao2.fail("vault-node restart --timeout 1s")
    bao2.succeed("systemctl is-active openbao.service")
    bao3.succeed("systemctl start openbao.service")
    serving(bao1, timeout=60)
