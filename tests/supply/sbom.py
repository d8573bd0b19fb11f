"""sbom.py DIRECTORY [PROGRAM]: whether the SBOMs there list the crates that are linked into the program: all of them, and no other.

They are compared with cargo's own plan of the build for each architecture, with the checksums of Cargo.lock, and where a PROGRAM for
amd64 is given with the sources that its line tables name.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
NAME = "openclaw-tenant-operator"
TARGETS = {"amd64": "x86_64-unknown-linux-musl", "arm64": "aarch64-unknown-linux-musl"}


def linked(target):
    """Name and version of each crate that a build links into the program: cargo's own plan of that build, without building.

    The plan is what cargo shows only to those who ask for what is not stable; nothing else of that is used.
    """
    command = ["cargo", "build", "--locked", "--release", "--target", target, "--bin", NAME, "-Z", "unstable-options", "--unit-graph"]
    environment = os.environ | {"RUSTC_BOOTSTRAP": "1"}
    plan = json.loads(subprocess.run(command, cwd=TOP, check=True, stdout=subprocess.PIPE, env=environment).stdout)
    units, found, ahead = plan["units"], set(), list(plan["roots"])
    while ahead:
        unit = units[ahead.pop()]
        name, number = re.search(r"[/#]([A-Za-z0-9_-]+)[@#](\d+\.\d+\.\d+[^ ]*)$", unit["pkg_id"]).groups()
        code = not {"proc-macro", "custom-build"} & set(unit["target"]["kind"])
        if code and unit["mode"] == "build" and unit["platform"] == target and (name, number) not in found:
            found.add((name, number))
            ahead += [one["index"] for one in unit["dependencies"]]
        elif code and (name, number) == (NAME, version()):
            ahead += [one["index"] for one in unit["dependencies"]]
    return found - {(NAME, version())}


def version():
    return tomllib.loads((TOP / "Cargo.toml").read_text())["package"]["version"]


def check(path, target, locked):
    bom = json.loads(path.read_text())
    root = bom["metadata"]["component"]
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.5"), path
    assert (root["name"], root["version"]) == (NAME, version()), root
    listed = {(one["name"], one["version"]): one for one in bom["components"]}
    assert len(listed) == len(bom["components"]), "a crate is listed twice"
    wanted = linked(target)
    assert len(wanted) > 100, f"the plan names only {len(wanted)}"
    assert set(listed) == wanted, f"{path.name}: missing {wanted - set(listed)}, too much {set(listed) - wanted}"
    for (name, number), one in listed.items():
        assert one["purl"] == f"pkg:cargo/{name}@{number}", one["purl"]
        assert [entry["content"] for entry in one["hashes"]] == [locked[name, number]], f"{name}: another checksum than Cargo.lock's"
        assert one.get("licenses"), f"{name}: no licence"
    refs = {one["bom-ref"] for one in [root, *bom["components"]]}
    assert {ref for one in bom["dependencies"] for ref in [one["ref"], *one["dependsOn"]]} == refs, "who needs whom is not told of all"
    return set(listed)


def main(directory, program=None):
    lock = tomllib.loads((TOP / "Cargo.lock").read_text())["package"]
    locked = {(one["name"], one["version"]): one.get("checksum") for one in lock}
    for architecture, target in TARGETS.items():
        path = directory / f"{NAME}_linux_{architecture}.cdx.json"
        listed = check(path, target, locked)
        print(f"sbom: {architecture}: {len(listed)} crates, those that cargo links")
        if program is not None and architecture == "amd64":
            found = set(re.findall(rb"cargo/registry/src/[^/\0]+/([A-Za-z0-9_-]+?)-(\d+\.\d+\.\d+[^/\0]*)/", program.read_bytes()))
            named = {(name.decode(), number.decode()) for name, number in found}
            assert len(named) > 50, f"{program} names only {len(named)} crates"
            assert named <= listed, f"{program} is made of {named - listed} too"
            print(f"sbom: {architecture}: {len(named)} crates are named by the program itself, and all are listed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
