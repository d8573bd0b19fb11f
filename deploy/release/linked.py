"""linked.py BOM TARGET: the SBOM with the crates that are linked into the program for this architecture, and no other, on stdout.

cargo-cyclonedx reads cargo metadata, which also lists what only a feature that is off would bring, and what runs at build time alone.
cargo tree resolves as a build does. Run where Cargo.toml is.
"""

import json
import subprocess
import sys


def linked(target):
    """Name and version of each crate, the program's own among them."""
    edges = ["--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"]
    command = ["cargo", "tree", "--locked", "--target", target, *edges]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return {(name, version.removeprefix("v")) for name, version, *_ in (line.split() for line in lines if line)}


def main(path, target):
    with open(path) as file:
        bom = json.load(file)
    root = bom["metadata"]["component"]
    wanted = linked(target) - {(root["name"], root["version"])}
    bom["components"] = [one for one in bom["components"] if (one["name"], one["version"]) in wanted]
    missing = wanted - {(one["name"], one["version"]) for one in bom["components"]}
    if missing:
        raise SystemExit(f"linked.py: cargo-cyclonedx does not know of {sorted(missing)}")
    kept = {one["bom-ref"] for one in [root, *bom["components"]]}
    bom["dependencies"] = [
        {**one, "dependsOn": [ref for ref in one.get("dependsOn", []) if ref in kept]} for one in bom["dependencies"] if one["ref"] in kept
    ]
    json.dump(bom, sys.stdout, indent=2, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:])
