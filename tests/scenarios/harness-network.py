"""The runner itself: guests reach each other by name; one that is cut off is silent."""

start_all()
beta.succeed("systemd-run --unit=listener nc -lk 8080")
beta.wait_for_open_port(8080, timeout=120)
alpha.wait_until_succeeds("nc -z beta 8080", timeout=60)


def outcome(address="beta", port=8080):
    """Returns the exit status of a connection, and the seconds that it took."""
    began = time.monotonic()
    status = alpha.execute(f"timeout 4 bash -c 'exec 3<>/dev/tcp/{address}/{port}' 2>&1")[0]
    return status, time.monotonic() - began


with subtest("a port that nobody listens on refuses at once"):
    status, took = outcome(port=81)
    assert status == 1 and took < busy(1), (status, took)

with subtest("a guest that is cut off says nothing at all, for longer than ARP lasts"):
    beta.block()
    status, took = outcome()
    assert status == 124 and took > 3.5, (status, took)
    beta.succeed("true")  # the runner still reaches it
    beta.reboot()
    beta.wait_for_unit("multi-user.target", timeout=120)
    status, took = outcome()
    assert status == 124 and took > 3.5, (status, took)
    beta.unblock()
    status, took = outcome(port=81)
    assert status == 1 and took < busy(1), (status, took)

with subtest("nothing leads out"):
    assert outcome(address="1.1.1.1", port=53)[0] == 1
    assert "default" not in beta.succeed("ip route")
