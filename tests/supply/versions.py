#!/usr/bin/env python3
"""Whether all that carries the version carries the same one: the program, its lock, the chart, the image that the chart takes by default,
the label of the definitions that it installs, and the changelog.

  tests/supply/versions.py                     of this checkout
  tests/supply/versions.py --release vX.Y.Z    and it is what this tag releases, with its day in the changelog

What the chart renders is compared by test_versions.py, which needs helm.
"""

import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
NAME = "openclaw-tenant-operator"
CHART = Path("charts") / NAME


def only(pattern, path, top):
    found = re.findall(pattern, (top / path).read_text(), re.M)
    if len(found) != 1:
        raise SystemExit(f"{path}: {len(found)} lines are like {pattern}; one has to be")
    return found[0]


def headings(top):
    """The changelog's versions, newest first, each with its day. What is not released yet stands above them."""
    found = re.findall(r"^## (.+)$", (top / "CHANGELOG.md").read_text(), re.M)
    if not found or found[0] != "[Unreleased]":
        raise SystemExit("CHANGELOG.md: ## [Unreleased] has to be its first heading")
    released = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", heading) for heading in found[1:]]
    if None in released:
        raise SystemExit(f"CHANGELOG.md: {found[1 + released.index(None)]} is not like [1.2.3] - 2026-01-31")
    return [(match[1], match[2]) for match in released]


def numbers(version):
    return tuple(int(part) for part in version.split("."))


def wrong(top=TOP, tag=None):
    """Each contradiction, in a sentence."""
    version = only(r'^version = "(\d+\.\d+\.\d+)"$', "Cargo.toml", top)
    places = {
        "Cargo.lock": only(rf'^name = "{NAME}"\nversion = "(.+)"$', "Cargo.lock", top),
        f"{CHART}/Chart.yaml, version": only(r"^version: (.+)$", CHART / "Chart.yaml", top),
        f"{CHART}/Chart.yaml, appVersion": only(r'^appVersion: "(.+)"$', CHART / "Chart.yaml", top),
    }
    problems = [f"{where} says {said}, Cargo.toml {version}" for where, said in places.items() if said != version]
    released = headings(top)
    if released != sorted(released, key=lambda entry: numbers(entry[0]), reverse=True):
        problems.append("CHANGELOG.md: the newest version does not stand first")
    if released and numbers(released[0][0]) > numbers(version):
        problems.append(f"CHANGELOG.md tells of {released[0][0]}, Cargo.toml says {version}")
    if tag is not None:
        if tag != f"v{version}":
            problems.append(f"the tag is {tag}, Cargo.toml says {version}")
        if not released or released[0][0] != version:
            problems.append(f"CHANGELOG.md: no ## [{version}] - and the day, below ## [Unreleased]")
    return problems


def main(arguments):
    if arguments and (len(arguments) != 2 or arguments[0] != "--release"):
        raise SystemExit(__doc__)
    problems = wrong(tag=arguments[1] if arguments else None)
    for problem in problems:
        print(f"versions: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
