"""Measures a service's time down while a rotation deploys a new version, and rolls one back."""

prepare_openbao()
enrol(web01, **WEB01)
comes_up(web01, "app", "report")
come_to_be_proven(web01, "db")


def away(service):
    """The seconds between the last time that a service left its active state and its next start."""
    shown = web01.succeed(
        "systemctl show --property=ActiveExitTimestampMonotonic,ActiveEnterTimestampMonotonic "
        f"{service}.service"
    )
    times = dict(line.split("=") for line in shown.split())
    left, entered = times["ActiveExitTimestampMonotonic"], times["ActiveEnterTimestampMonotonic"]
    return (int(entered) - int(left)) / 1_000_000


with subtest("a new version"):
    put("hosts/web01/db", username="app", password="p2")
    assert rotate(web01, "db") == 0
    assert value(web01, "app") == "p2"
    took = away("app")
    print(f"measured: {'away for a new version':36} {took:6.2f} s   (one restart, one fetch)")
    assert took < busy(5)

with subtest("a version that is rolled back"):
    put("hosts/web01/db", username="app", password="bad")
    assert rotate(web01, "db") != 0
    assert value(web01, "app") == "p2"
    took = away("app")
    print(f"measured: {'away for a roll-back':36} {took:6.2f} s   (two restarts, two fetches)")
    assert took < busy(10)
