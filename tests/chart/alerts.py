"""alerts.py DIRECTORY: writes the alerts as the chart renders them, and their tests, for promtool."""

import sys
from pathlib import Path

import yaml

from chart import EKS, NAME, merged, render

directory = Path(sys.argv[1])
objects = render(merged(EKS, {"metrics": {"prometheusRule": {"enabled": True}}}))
groups = objects["PrometheusRule", NAME]["spec"]["groups"]
(directory / "alerts.yaml").write_text(yaml.safe_dump({"groups": groups}, allow_unicode=True))

tests = yaml.safe_load((Path(__file__).parent / "alerts_test.yaml").read_text())
words = {rule["alert"]: rule["annotations"] for group in groups for rule in group["rules"]}
quiet, loud = set(), set()
for test in tests["tests"]:
    for series in test["input_series"]:
        assert isinstance(series["values"], str), f"{test['name']}: quote the values of {series['series']}"
    for case in test["alert_rule_test"]:
        expected = case.setdefault("exp_alerts", [])
        (loud if expected else quiet).add(case["alertname"])
        for alert in expected:
            # What a person reads first is compared as it is with its figures; the rest has none.
            rest = {key: text for key, text in words[case["alertname"]].items() if key != "summary"}
            assert "{{" not in str(rest), rest
            alert["exp_annotations"] = rest | {"summary": alert.pop("summary")}
missing = set(words) - (quiet & loud)
if missing:
    raise SystemExit(f"alerts_test.yaml does not show {sorted(missing)} both quiet and firing")
(directory / "test.yaml").write_text(yaml.safe_dump(tests, allow_unicode=True))
