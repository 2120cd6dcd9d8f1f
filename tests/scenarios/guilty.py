"""A secret is judged by its own services. A service that fails because one that it needs failed has
nothing against the version that it was to take.

On this host `base` has the secret db; `near` requires it and has token; `far` is bound to `near`
and has tls.
"""

prepare_openbao()
enrol(chain, db={"password": "p1"}, token={"value": "t1"}, tls={"key": "k1"})
comes_up(chain, "base", "near", "far")
come_to_be_proven(chain, "db", "token", "tls")


def rejections():
    """The rejected versions of the three secrets."""
    return [rejected(chain, name) for name in ["db", "token", "tls"]]


def values():
    """Returns the values with which the three services came up."""
    is_up(chain, "base.service", "near.service", "far.service")
    return [value(chain, service) for service in ["base", "near", "far"]]


with subtest("the first of three is bad: the other two versions are in place"):
    put("hosts/chain/db", password="bad")
    put("hosts/chain/token", value="t2")
    put("hosts/chain/tls", key="k2")
    assert rotate(chain, "db") != 0
    rotate(chain, "token")
    comes_up(chain, "base", "near", "far")
    assert rejections() == [2, None, None]
    assert values() == ["p1", "t2", "k2"]

with subtest("the one in the middle is bad"):
    put("hosts/chain/db", password="p3")
    put("hosts/chain/token", value="bad")
    put("hosts/chain/tls", key="k3")
    assert rotate(chain, "tls") == 0
    rotate(chain, "db")
    comes_up(chain, "base", "near", "far")
    assert rejections() == [None, 3, None]
    assert values() == ["p3", "t2", "k3"]

with subtest("one that is bad by itself is rejected all the same"):
    put("hosts/chain/token", value="t4")
    put("hosts/chain/tls", key="bad")
    assert rotate(chain, "tls") != 0
    comes_up(chain, "base", "near", "far")
    assert rejections() == [None, None, 4]
    assert values() == ["p3", "t4", "k3"]
