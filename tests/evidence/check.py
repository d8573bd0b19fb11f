"""Examines what a test run left behind (OPENCLAW_EVIDENCE_DIR): see README.md.

    python3 tests/evidence/check.py DIRECTORY CALLS.json
    python3 tests/evidence/check.py --wait DIRECTORY    only waits until everything is written

Prints what it found and ends with "N passed, N failed".
"""

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

OPERATOR = "operator"  # the access key of the operator under test
REQUESTS, VALUES, COMPLETE, PLATFORM = "aws-requests.jsonl", "generated-values", "complete", "platform.json"
OBJECTS = "objects.json"
PROVE = Path(__file__).resolve().parent.parent / "iam" / "prove.sh"
OPERATOR_FILES = Path(__file__).resolve().parent.parent.parent / "deploy" / "operator"
ROLES = [OPERATOR_FILES / "rbac.yaml", OPERATOR_FILES / "owner-access.yaml"]
PATIENCE = 900  # seconds for platforms to write down their objects after the tests: a score of them end at once


class Checks:
    def __init__(self):
        self.passed, self.failed = 0, 0

    def check(self, good, complaint):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED: {complaint}")


def use_platforms_python(directory):
    """The models come with botocore, which the platform's own Python has."""
    for facts in directory.glob(f"run-*/{PLATFORM}"):
        python = json.loads(facts.read_text())["python"]
        if Path(sys.executable) != Path(python):
            os.execv(python, [python, *sys.argv])
        return
    sys.exit(f"{directory}: no platform ran to the end of its start; was OPENCLAW_EVIDENCE_DIR set for the tests?")


def complete_runs(directory, checks):
    """Waits until every platform has written all it writes."""
    end = time.monotonic() + PATIENCE
    runs = sorted(directory.glob("run-*"))
    while not all((run / COMPLETE).exists() for run in runs) and time.monotonic() < end:
        time.sleep(0.2)
    for run in runs:
        checks.check((run / COMPLETE).exists(), f"{run.name}: its platform did not come to an orderly end")
    return [run for run in runs if (run / PLATFORM).exists()]


def requests_of(run):
    with open(run / REQUESTS) as lines:
        return [json.loads(line) for line in lines]


def check_requests(runs, checks):
    from conforms import violations

    counts, wrong = Counter(), defaultdict(Counter)
    for run in runs:
        for record in requests_of(run):
            if record["accessKeyId"] == OPERATOR:
                kind = (record["service"], record["operation"])
                counts[kind] += 1
                wrong[kind].update(violations(record))
    print("Requests of the operator against the services' models (botocore)\n")
    print("| operation | requests | violations |\n|---|---|---|")
    for kind, count in sorted(counts.items()):
        print(f"| {' '.join(kind)} | {count} | {wrong[kind].total()} |")
    print()
    checks.check(counts, "the operator asked for nothing")
    for kind in sorted(counts):
        shown = "; ".join(f"{what} ({count} times)" for what, count in wrong[kind].most_common(5))
        checks.check(not wrong[kind], f"{' '.join(kind)}: {shown}")


def write_calls(runs, path, checks):
    import calls

    found = []
    for run in runs:
        aws = json.loads((run / PLATFORM).read_text())["aws"]
        account, tags = calls.Account(aws, cluster_uid(run)), calls.Tags()
        for comes, record in calls.in_order(requests_of(run)):
            if record["service"] not in calls.SERVICES:
                continue
            if not comes:
                tags.take_up(record, account.key(record))
            elif record["accessKeyId"] == OPERATOR:
                found.extend(calls.rights(record, account, tags))
    calls.write(found, path)
    print(f"{len(found)} rights asked for by the operator, in {len(calls.summed_up(found))} kinds: {path.name}\n")
    checks.check(found, "no calls")


def cluster_uid(run):
    """The UID of kube-system, by which policies tell clusters of one name apart."""
    items = json.loads((run / OBJECTS).read_text())["items"]
    [found] = [one for one in items if one["kind"] == "Namespace" and one["metadata"]["name"] == "kube-system"]
    return found["metadata"]["uid"]


def check_policies(path, checks):
    """The operator's policies allow what it asked for, and nothing else."""
    proof = subprocess.run([str(PROVE), str(path)], stdout=subprocess.PIPE, text=True)
    print(proof.stdout)
    counted = re.search(r"^(\d+) passed, (\d+) failed$", proof.stdout, re.MULTILINE)
    if counted:
        checks.passed += int(counted[1])
        checks.failed += int(counted[2])
    elif proof.returncode or not proof.stdout.startswith("skipped:"):
        checks.check(False, f"{PROVE.name} ended with {proof.returncode} and no count")


def check_roles(runs, checks):
    """The operator's roles in Kubernetes give what it asked for, and nothing else."""
    import rights
    import yaml

    documents = [document for file in ROLES for document in yaml.safe_load_all(file.read_text()) if document]
    granted = rights.granted(documents)
    asked = Counter()
    for run in runs:
        for log in run.glob("audit*.log"):
            with open(log) as lines:
                asked.update(rights.asked(lines))
    used, unused, missing = rights.compare(granted, asked)
    print(f"{used.total()} requests of the operator to the API server used {len(used)} of the {len(granted)} rights of its roles\n")
    for right in sorted(granted):
        is_unshown = (right.verb, right.resource) in rights.UNSHOWN
        if is_unshown and right in unused:
            print(f"shown by no test: {rights.told(right)}")
            continue
        checks.check(right not in unused, f"the operator's roles give a right that nothing used: {rights.told(right)}")
    for request, count in sorted(missing.items()):
        checks.check(False, f"the operator's roles do not give what the operator asked for {count} times: {rights.told(request)}")


def check_evidence(runs, checks):
    """A search where nothing was kept would find nothing."""
    kinds = {"operators' logs": "operator-*.log", "operators' metrics": "operator-*.metrics", "audit logs": "audit.log",
             "lists of all objects": OBJECTS, "databases": "etcd/member/wal/*.wal"}
    for what, pattern in kinds.items():
        files = [path for run in runs for path in run.glob(pattern) if path.stat().st_size]
        print(f"{len(files)} {what}")
        each = pattern.startswith("operator") or all(any(run.glob(pattern)) for run in runs)
        checks.check(files and each, f"{what} were not kept ({pattern})")


def check_values(directory, runs, checks):
    from search import Search

    values = [line for run in runs for line in (run / VALUES).read_text().splitlines()]
    search = Search(values)
    found = defaultdict(set)
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.name != VALUES:
            for number in search.in_file(path):
                found[path].add(number)
    print(f"{len(search.values)} generated values looked for, plain and in base64, in {search.files} files "
          f"({search.bytes / 1e6:.0f} MB): {'none found' if not found else 'FOUND'}\n")
    checks.check(search.values, "no value was generated: nothing is shown")
    # Never the value itself.
    shown = ", ".join(f"{path.relative_to(directory)} ({len(numbers)} of them)" for path, numbers in found.items())
    checks.check(not found, f"generated values stand in {shown}")


def self_test(checks):
    """The checks find what they are for."""
    import unittest

    suite = unittest.defaultTestLoader.discover(str(Path(__file__).parent), pattern="test_*.py")
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=0).run(suite)
    failed = len(result.failures) + len(result.errors)
    checks.passed += result.testsRun - failed
    checks.failed += failed


def main(directory, calls_path):
    use_platforms_python(directory)
    checks = Checks()
    try:
        self_test(checks)
        runs = complete_runs(directory, checks)
        check_requests(runs, checks)
        write_calls(runs, calls_path, checks)
        check_policies(calls_path, checks)
        check_roles(runs, checks)
        check_evidence(runs, checks)
        check_values(directory, runs, checks)
    finally:
        for values in directory.glob(f"run-*/{VALUES}"):
            values.unlink()
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    if sys.argv[1] == "--wait":
        complete_runs(Path(sys.argv[2]).resolve(), Checks())
        sys.exit()
    sys.exit(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()))
