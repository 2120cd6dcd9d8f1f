"""Tests that the checks of the rendered units find the faults that they are for."""

import copy
import re
import unittest

import complete
import digest
import hardening
from analyzer import Analyzer, MissingSystemdError
from rendering import RENDERED, Files, changes, committed_nodes, text_of

NODE = "web01"


class Completeness(unittest.TestCase):
    """A committed node with something taken away or changed."""

    def setUp(self) -> None:
        self.node = committed_nodes()[NODE]
        self.units = self.node["units"]

    def assert_problem(self, words: str) -> None:
        """One of the problems has these words."""
        found = complete.problems(self.node)
        self.assertTrue(any(words in problem for problem in found), found)

    def test_the_node_as_it_is_has_no_problem(self) -> None:
        self.assertEqual(complete.problems(self.node), [])

    def test_a_text_of_the_store_is_missing(self) -> None:
        self.node["manifest"]["store"].clear()
        self.assert_problem("which the manifest does not have")

    def test_a_package_is_not_named(self) -> None:
        self.node["manifest"]["packages"].remove("vault-host")
        self.assert_problem("names `/nix/store/vault-host`")

    def test_a_text_of_the_store_was_changed_by_hand(self) -> None:
        next(iter(self.node["manifest"]["store"].values()))["text"] += "\n# by hand"
        self.assert_problem("is not the name of its text")

    def test_a_script_that_cannot_be_run(self) -> None:
        for file in self.node["manifest"]["store"].values():
            file["executable"] = False
        self.assert_problem("is a script or executable, not both")

    def test_a_hash_of_the_store_was_left_in(self) -> None:
        name = "app.service"
        self.units[name] += f"# /nix/store/{'a' * 32}-x\n"
        self.assert_problem("has a hash of the store in it")

    def test_a_unit_is_missing(self) -> None:
        del self.units["vault-secret-db.service"]
        self.assert_problem("links `vault-secret-db.service`")
        self.assert_problem("`vault-secret-db.service` is not there")

    def test_a_template_that_a_failure_starts_is_missing(self) -> None:
        del self.units["vault-secret-retry@.service"]
        self.assert_problem("names `vault-secret-retry@db.service`")

    def test_a_service_that_requires_a_secret_is_missing(self) -> None:
        del self.units["proxy.service"]
        self.assert_problem("requiredBy `proxy.service`, which is not there")

    def test_a_user_is_missing(self) -> None:
        self.node["manifest"]["users"].clear()
        self.assert_problem("has User=app")

    def test_a_service_does_not_require_its_secret(self) -> None:
        self.node["manifest"]["links"].pop("vault-secret-db.service")
        self.assert_problem("is required by []")

    def test_a_timer_of_a_secret_that_is_not_rotated(self) -> None:
        timer = "vault-secret-rotate-{}.timer"
        self.units[timer.format("zone")] = self.units[timer.format("db")]
        self.assert_problem("disagree")


class Changes(unittest.TestCase):
    """Tests of the changes between two renderings."""

    def setUp(self) -> None:
        self.old = committed_nodes()
        self.new = copy.deepcopy(self.old)

    def test_the_same_nodes_are_the_same_bytes(self) -> None:
        self.assertEqual(text_of(dict(reversed(self.new.items()))), RENDERED.read_text())
        self.assertEqual(changes(self.old, self.new), [])

    def test_one_change_of_two_nodes_is_shown_once(self) -> None:
        for name in ("web01", "web01.next"):
            self.new[name]["units"]["app.service"] += "# more\n"
        [change] = changes(self.old, self.new)
        head = ["web01, web01.next:", "--- old/units/app.service"]
        self.assertEqual(change.splitlines()[:2], head)
        self.assertIn("\n+# more\n", change)

    def test_a_text_of_the_store_is_compared_with_the_one_that_it_replaces(self) -> None:
        store = self.new[NODE]["manifest"]["store"]
        name = next(iter(store))
        text = store.pop(name)["text"]
        store[f"00000000{name[8:]}"] = {"text": f"{text}\n# more\n", "executable": True}
        [change] = changes(self.old, self.new)
        self.assertIn(f"--- old/store/{name[9:]}\n", change)
        self.assertEqual(re.findall(r"^[-+][^-+].*", change, re.MULTILINE), ["+# more"])

    def test_nodes_that_come_and_go_are_named(self) -> None:
        self.new["web09"] = self.new.pop("web02")
        self.assertEqual(changes(self.old, self.new), ["web02: is gone", "web09: is new"])


class Digest(unittest.TestCase):
    """Tests of DIGEST and its sources."""

    def test_each_kind_of_change_is_named(self) -> None:
        self.assertEqual(
            digest.stale("1  same\n2  changed\n3  gone\n", "1  same\n9  changed\n4  new\n"),
            ["`changed` has changed", "`gone` is gone", "`new` is new"],
        )

    def test_modules_nodes_and_the_renderer_are_sources(self) -> None:
        found = {str(path) for path in digest.sources()}
        wanted = {
            "flake.lock",
            "nixos-modules/default.nix",
            "tests/nodes/lib/service.nix",
            "tests/nodes/web01.next.nix",
            "tests/units/render.nix",
        }
        self.assertLessEqual(wanted, found)


class Sandboxes(unittest.TestCase):
    """Tests of the score of a unit without a sandbox."""

    def setUp(self) -> None:
        try:
            self.analyzer = Analyzer.find()
        except MissingSystemdError as error:
            self.skipTest(str(error))

    def test_a_unit_without_a_sandbox_is_over_the_limit(self) -> None:
        units: Files = {"vault-setup.service": "[Service]\nExecStart=/bin/true\n"}
        found = hardening.scores(self.analyzer, units)
        self.assertGreaterEqual(found["vault-setup.service"], hardening.LIMIT)

    def test_a_setting_that_systemd_does_not_know_is_told(self) -> None:
        units: Files = {"x.service": "[Service]\nExecStart=/bin/true\nRestrictEverything=yes\n"}
        finished = self.analyzer.run(units, "verify", "--man=no")
        self.assertIn("RestrictEverything", finished.stderr)


if __name__ == "__main__":
    unittest.main()
