"""Versions are one, and versions.py sees it where they are not."""

import shutil
import sys
import tempfile
import unittest
from pathlib import Path

import versions

sys.path.insert(0, str(versions.TOP / "tests" / "chart"))
from chart import EKS, NAME, container, merged, render  # noqa: E402

FILES = ["Cargo.toml", "Cargo.lock", "CHANGELOG.md", versions.CHART / "Chart.yaml"]


class Versions(unittest.TestCase):
    def test_all_that_carries_the_version_carries_the_same(self):
        self.assertEqual(versions.wrong(), [])
        version = versions.only(r'^version = "(.+)"$', "Cargo.toml", versions.TOP)
        objects = render(merged(EKS, {"image": {"repository": "registry/operator", "tag": "", "digest": ""}}))
        self.assertEqual(container(objects)["image"], f"registry/operator:{version}")
        definitions = {key[1]: item for key, item in objects.items() if key[0] == "CustomResourceDefinition"}
        self.assertEqual(set(definitions), {"tenants.openclaw.io", "tenantclasses.openclaw.io", "tenantrecords.openclaw.io"})
        for name, item in [*definitions.items(), (NAME, objects["Deployment", NAME])]:
            labels = item["metadata"]["labels"]
            self.assertEqual(labels["app.kubernetes.io/version"], version, name)
            self.assertEqual(labels["helm.sh/chart"], f"{NAME}-{version}", name)


class Contradictions(unittest.TestCase):
    def setUp(self):
        self.top = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name in FILES:
            (self.top / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(versions.TOP / name, self.top / name)
        (self.top / "CHANGELOG.md").write_text("## [Unreleased]\n\n## [0.1.0] - 2026-01-31\n")
        self.version("0.1.0")

    def change(self, name, old, new):
        text = (self.top / name).read_text()
        self.assertIn(old, text)
        (self.top / name).write_text(text.replace(old, new))

    def version(self, version):
        """The copies carry this one, whatever the checkout has."""
        now = versions.only(r'^version = "(.+)"$', "Cargo.toml", self.top)
        self.change("Cargo.toml", f'\nversion = "{now}"', f'\nversion = "{version}"')
        self.change("Cargo.lock", f'"{NAME}"\nversion = "{now}"', f'"{NAME}"\nversion = "{version}"')
        self.change(versions.CHART / "Chart.yaml", f"\nversion: {now}", f"\nversion: {version}")
        self.change(versions.CHART / "Chart.yaml", f'appVersion: "{now}"', f'appVersion: "{version}"')

    def test_a_release_needs_its_tag_and_its_day(self):
        self.assertEqual(versions.wrong(self.top, "v0.1.0"), [])
        self.assertEqual(versions.wrong(self.top, "v0.2.0"), ["the tag is v0.2.0, Cargo.toml says 0.1.0"])
        self.version("0.2.0")
        self.assertEqual(versions.wrong(self.top), [], "between two releases")
        expected = ["CHANGELOG.md: no ## [0.2.0] - and the day, below ## [Unreleased]"]
        self.assertEqual(versions.wrong(self.top, "v0.2.0"), expected)

    def test_each_place_is_looked_at(self):
        chart = versions.CHART / "Chart.yaml"
        for name, old, new, expected in [
            ("Cargo.lock", f'"{NAME}"\nversion = "0.1.0"', f'"{NAME}"\nversion = "0.0.9"', "Cargo.lock says 0.0.9, Cargo.toml 0.1.0"),
            (chart, "\nversion: 0.1.0", "\nversion: 0.0.9", f"{chart}, version says 0.0.9, Cargo.toml 0.1.0"),
            (chart, 'appVersion: "0.1.0"', 'appVersion: "0.0.9"', f"{chart}, appVersion says 0.0.9, Cargo.toml 0.1.0"),
            ("CHANGELOG.md", "[0.1.0]", "[0.3.0]", "CHANGELOG.md tells of 0.3.0, Cargo.toml says 0.1.0"),
        ]:
            with self.subTest(name):
                self.change(name, old, new)
                self.assertEqual(versions.wrong(self.top), [expected])
                self.change(name, new, old)

    def test_a_heading_without_a_day_is_refused(self):
        self.change("CHANGELOG.md", " - 2026-01-31", "")
        with self.assertRaises(SystemExit) as caught:
            versions.wrong(self.top)
        self.assertIn("[0.1.0] is not like", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
