"""What the operator says, in the older text format, which is all that promtool reads.

A counter's family is called as its samples are there, and kinds of metrics that it lacks are gauges.
"""

import re

LINE = re.compile(r"# (HELP|TYPE) (\S+) (.*)")


def older(text):
    assert text.endswith("# EOF\n"), "it is OpenMetrics"
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    lines = []
    for line in text.splitlines():
        found = LINE.fullmatch(line)
        if found:
            what, name, rest = found.groups()
            kind = kinds[name]
            suffix = {"counter": "_total", "info": "_info"}.get(kind, "")
            if what == "TYPE":
                rest = "gauge" if kind in ("info", "unknown") else kind
            lines.append(f"# {what} {name}{suffix} {rest}")
        elif not line.startswith("#"):
            lines.append(line)
    return "\n".join(lines) + "\n"
