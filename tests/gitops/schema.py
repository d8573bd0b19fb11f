"""The Tenants and classes of a folder against the published JSON Schemas, as an editor or a pipeline asks them.

Usage: schema.py FOLDER...
"""

import json
import pathlib
import sys

import jsonschema
import yaml

SCHEMAS = pathlib.Path(__file__).parents[2] / "crds" / "schema"


def main(folders: list[str]) -> int:
    judges = {}
    for kind in ("Tenant", "TenantClass"):
        schema = json.loads((SCHEMAS / f"{kind.lower()}.json").read_text())
        judges[kind] = jsonschema.Draft7Validator(schema)
    judged, wrong = 0, []
    for path in sorted(file for folder in folders for file in pathlib.Path(folder).rglob("*.yaml")):
        for manifest in yaml.safe_load_all(path.read_text()):
            judge = judges[manifest["kind"]]
            wrong += [f"{path}: {error.json_path}: {error.message}" for error in judge.iter_errors(manifest)]
            # A schema that takes anything would agree with everything.
            if judge.is_valid(manifest | {"spec": manifest["spec"] | {"misspelt": True}}):
                wrong.append(f"{path}: a field that nobody knows is not refused")
            judged += 1
    print("\n".join([*wrong, f"{judged} manifests judged by their JSON Schemas, {len(wrong)} complaints"]))
    return 1 if wrong or not judged else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
