"""That the checks of the rendered units see what they are for."""

import json
import unittest

import complete
import digest
import hardening
from analyzer import Analyzer, MissingSystemdError
from rendering import HERE, Files, read

NODE = "web01"


class Completeness(unittest.TestCase):
    """A committed node with something taken away or changed."""

    def setUp(self) -> None:
        self.files = read(HERE / NODE)

    def manifest(self, change) -> None:
        """Changes the manifest."""
        manifest = json.loads(self.files["manifest.json"])
        change(manifest)
        self.files["manifest.json"] = json.dumps(manifest)

    def assert_problem(self, words: str) -> None:
        """One of the problems has these words."""
        found = complete.problems(self.files)
        self.assertTrue(any(words in problem for problem in found), found)

    def test_the_node_as_it_is_has_no_problem(self) -> None:
        self.assertEqual(complete.problems(self.files), [])

    def test_a_text_of_the_store_is_missing(self) -> None:
        self.manifest(lambda manifest: manifest["store"].clear())
        self.assert_problem("which manifest.json does not have")

    def test_a_package_is_not_named(self) -> None:
        self.manifest(lambda manifest: manifest["packages"].remove("vault-host"))
        self.assert_problem("names `/nix/store/vault-host`")

    def test_a_text_of_the_store_was_changed_by_hand(self) -> None:
        def change(manifest: dict) -> None:
            next(iter(manifest["store"].values()))["text"] += "\n# by hand"

        self.manifest(change)
        self.assert_problem("is not the name of its text")

    def test_a_script_that_cannot_be_run(self) -> None:
        def change(manifest: dict) -> None:
            for file in manifest["store"].values():
                file["executable"] = False

        self.manifest(change)
        self.assert_problem("is a script or executable, not both")

    def test_a_hash_of_the_store_was_left_in(self) -> None:
        name = "units/app.service"
        self.files[name] += f"# /nix/store/{'a' * 32}-x\n"
        self.assert_problem("has a hash of the store in it")

    def test_a_unit_is_missing(self) -> None:
        del self.files["units/vault-secret-db.service"]
        self.assert_problem("links `vault-secret-db.service`")
        self.assert_problem("`vault-secret-db.service` is not there")

    def test_a_template_that_a_failure_starts_is_missing(self) -> None:
        del self.files["units/vault-secret-retry@.service"]
        self.assert_problem("names `vault-secret-retry@db.service`")

    def test_a_service_that_requires_a_secret_is_missing(self) -> None:
        del self.files["units/proxy.service"]
        self.assert_problem("requiredBy `proxy.service`, which is not there")

    def test_a_user_is_missing(self) -> None:
        self.manifest(lambda manifest: manifest["users"].clear())
        self.assert_problem("has User=app")

    def test_a_service_does_not_require_its_secret(self) -> None:
        self.manifest(lambda manifest: manifest["links"].pop("vault-secret-db.service"))
        self.assert_problem("is required by []")

    def test_a_timer_of_a_secret_that_is_not_rotated(self) -> None:
        timer = "units/vault-secret-rotate-{}.timer"
        self.files[timer.format("zone")] = self.files[timer.format("db")]
        self.assert_problem("disagree")


class Digest(unittest.TestCase):
    """What DIGEST tells of its sources."""

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
    """What systemd says of a unit without a sandbox."""

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
