"""A bad version on a host whose cache folder is full or read-only: the old files go back all the
same, and the version is not tried again with each run.
"""

prepare_openbao()
enrol(kinds, **KINDS)
comes_up(kinds, "app", "report", "guard", "slow", "import")
come_to_be_proven(kinds, "db", "zone", "slow", "data")
CACHE = "/var/lib/vault/cache/db"
# A file system of its own takes the folder's place, with what it holds.
kinds.succeed(
    f"cp -a {CACHE} /root/copy",
    f"mount -t tmpfs -o size=64k,mode=0700 tmpfs {CACHE}",
    f"cp -a /root/copy/. {CACHE}",
)


def is_full():
    """Leaves not a byte."""
    kinds.execute(f"cat /dev/zero > {CACHE}/filler")
    kinds.fail(f"echo more > {CACHE}/more")
    kinds.succeed(f"rm -f {CACHE}/more")


def everything_is_as_before(text):
    """Both services are up with this value."""
    for service in ["app", "report"]:
        comes_to_have(kinds, service, text)
    assert kinds.succeed("cat /run/secrets/db/value") == text


def is_not_tried_again(text):
    """Checks that neither the next rotations nor a restart try the rejected version again."""
    before = starts(kinds, "app")
    for _ in range(2):
        assert rotate(kinds, "db") != 0
    assert starts(kinds, "app") == before
    kinds.succeed("systemctl restart app.service")
    assert [value(kinds, "app"), value(kinds, "report")] == [text, text]
    assert len(starts(kinds, "app")) == len(before) + 1


with subtest("full: a bad version is rolled back"):
    is_full()
    put("hosts/kinds/db", value="bad")
    assert rotate(kinds, "db") != 0
    everything_is_as_before("d1")

with subtest("full: it is not tried again"):
    is_not_tried_again("d1")

with subtest("full: a good version comes into place"):
    put("hosts/kinds/db", value="d3")
    rotate(kinds, "db")
    everything_is_as_before("d3")

with subtest("full: a bad one that came by a restart is rolled back"):
    put("hosts/kinds/db", value="bad")
    kinds.execute("systemctl restart app.service")
    everything_is_as_before("d3")
    is_not_tried_again("d3")

with subtest("there is room again: the next run keeps the copy"):
    kinds.succeed(f"rm {CACHE}/filler")
    put("hosts/kinds/db", value="d5")
    assert rotate(kinds, "db") == 0
    everything_is_as_before("d5")
    assert status_of(kinds, "db")["copy"]["version"] == 5

with subtest("read-only: a bad version is rolled back, and not tried again"):
    kinds.succeed(f"mount -o remount,ro {CACHE}")
    put("hosts/kinds/db", value="bad")
    assert rotate(kinds, "db") != 0
    everything_is_as_before("d5")
    is_not_tried_again("d5")

with subtest("writable again: a newer version ends it all"):
    kinds.succeed(f"mount -o remount,rw {CACHE}")
    put("hosts/kinds/db", value="d7")
    assert rotate(kinds, "db") == 0
    everything_is_as_before("d7")
    assert rejected(kinds, "db") is None
