"""What a release offers to download, made from programs that are none."""

import hashlib
import os
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path

import yaml

from versions import TOP

SCRIPT = TOP / "deploy" / "release" / "package.sh"


class Package(unittest.TestCase):
    def setUp(self):
        self.scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for architecture in ("amd64", "arm64"):
            program = self.scratch / "programs" / f"linux_{architecture}" / "openclaw-tenant-operator"
            program.parent.mkdir(parents=True)
            program.write_text(f"a program for {architecture}\n")

    def made(self, name):
        environment = os.environ | {"SOURCE_DATE_EPOCH": "1767225600"}
        out = self.scratch / name
        subprocess.run([SCRIPT, "v1.2.3", self.scratch / "programs", out], check=True, env=environment)
        return {path.name: path.read_bytes() for path in out.iterdir()}

    def test_archives_hold_the_plugin_and_the_manifest_their_checksums(self):
        files = self.made("once")
        archives = {f"kubectl-tenant_linux_{architecture}.tar.gz" for architecture in ("amd64", "arm64")}
        programs = {f"openclaw-tenant-operator_linux_{architecture}" for architecture in ("amd64", "arm64")}
        self.assertEqual(set(files), archives | programs | {"tenant.yaml"})
        manifest = yaml.safe_load(files["tenant.yaml"])
        self.assertEqual((manifest["metadata"]["name"], manifest["spec"]["version"]), ("tenant", "v1.2.3"))
        for platform in manifest["spec"]["platforms"]:
            labels = platform["selector"]["matchLabels"]
            name = f"kubectl-tenant_{labels['os']}_{labels['arch']}.tar.gz"
            archives.remove(name)
            self.assertTrue(platform["uri"].endswith(f"/releases/download/v1.2.3/{name}"), platform["uri"])
            self.assertEqual(platform["sha256"], hashlib.sha256(files[name]).hexdigest())
            with tarfile.open(self.scratch / "once" / name) as archive:
                entries = {entry.name: (entry.mode, entry.mtime, entry.uid) for entry in archive}
                text = archive.extractfile(platform["bin"]).read().decode()
            self.assertEqual(entries, {"kubectl-tenant": (0o755, 1767225600, 0), "LICENSE": (0o644, 1767225600, 0)})
            self.assertEqual(text, f"a program for {labels['arch']}\n")
        self.assertEqual(archives, set())

    def test_the_same_programs_give_the_same_bytes(self):
        self.assertEqual(self.made("once"), self.made("twice"))


if __name__ == "__main__":
    unittest.main()
