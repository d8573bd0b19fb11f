#!/usr/bin/env python3
"""Writes what the chart has from elsewhere, so that nothing is kept by hand in two places:

  files/crds/        from crds/
  files/policies/    from deploy/policies, what its kustomization.yaml lists
  files/rbac.yaml, files/owner-access.yaml    from deploy/operator
  README.md          the table of values, from the comments of values.yaml

With --check it writes nothing, and fails where something differs.
"""

import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
CHART = TOP / "charts" / "openclaw-tenant-operator"
BEGIN, END = "<!-- values: begin -->", "<!-- values: end -->"
ENTRY = re.compile(r"( *)([A-Za-z][A-Za-z0-9]*):(?: (.*))?")


def copies():
    """What lies in files/ and comes from elsewhere: path in files/ -> text."""
    wanted = {f"crds/{path.name}": path.read_text() for path in sorted((TOP / "crds").glob("*.yaml"))}
    policies = TOP / "deploy" / "policies"
    for name in re.findall(r"^  - (.+\.yaml)$", (policies / "kustomization.yaml").read_text(), re.M):
        wanted[f"policies/{name}"] = (policies / name).read_text()
    for name in ("rbac.yaml", "owner-access.yaml"):
        wanted[name] = (TOP / "deploy" / "operator" / name).read_text()
    return wanted


def values(text):
    """Each value of values.yaml: path, default, comment. A map that is written out below its key is no value itself."""
    rows, path, comment = [], [], []
    for number, line in enumerate(text.splitlines(), 1):
        entry = ENTRY.fullmatch(line)
        if line.lstrip().startswith("# "):
            comment.append(line.lstrip()[2:])
        elif not line.strip() or line == "#":
            comment = []
        elif entry is None:
            raise SystemExit(f"values.yaml:{number}: lists and maps of defaults are written in one line: {line}")
        else:
            indent, key, default = entry.groups()
            path = path[: len(indent) // 2] + [key]
            if default is not None:
                if not comment:
                    raise SystemExit(f"values.yaml:{number}: {'.'.join(path)} has no comment above it")
                rows.append((".".join(path), default, " ".join(comment)))
            comment = []
    return rows


def table(rows):
    lines = ["| value | default | what it is |", "|---|---|---|"]
    for path, default, comment in rows:
        lines.append(f"| `{path}` | `{default}` | {comment.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def readme():
    text = (CHART / "README.md").read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = values((CHART / "values.yaml").read_text())
    return f"{before}{BEGIN}\n{table(rows)}\n{END}{after}"


def main(arguments):
    if arguments not in ([], ["--check"]):
        raise SystemExit(__doc__)
    wanted = {CHART / "files" / name: text for name, text in copies().items()}
    wanted[CHART / "README.md"] = readme()
    ours = [CHART / "files" / "crds", CHART / "files" / "policies"]
    left_over = [path for place in ours for path in place.glob("*") if path not in wanted]
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if arguments == ["--check"]:
        for path in stale + left_over:
            print(f"{path.relative_to(TOP)} is not what charts/generate.py writes: run make chart", file=sys.stderr)
        return 1 if stale or left_over else 0
    for path in left_over:
        path.unlink()
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
