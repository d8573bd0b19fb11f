"""Whether a generated value stands in any file: as it is, or in base64, alone or inside of something longer."""

import base64
import mmap
import re

# A value has 43 characters (32 bytes in base64 without padding), a form of it in base64 more.
SHORTEST = 40
HEAD = 12
RUNS = re.compile(rb"[A-Za-z0-9+/_=-]{%d,}" % SHORTEST)


def forms(value):
    """What a value looks like: plain, and in base64 wherever it may stand within what was encoded."""
    plain = value.encode()
    found = {plain}
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + plain)
        # The characters at both ends also depend on what stands around the value.
        first = (before * 8 + 5) // 6
        last = (before + len(plain)) * 8 // 6
        inner = encoded[first:last]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


class Search:
    """Looks for many values at once, by the heads of their forms."""

    def __init__(self, values):
        self.values = sorted(set(values))
        short = [value for value in self.values if len(value) < SHORTEST]
        if short:
            raise ValueError(f"{len(short)} values are shorter than {SHORTEST} characters, which this search passes over")
        self.heads = {}
        for number, value in enumerate(self.values):
            for form in forms(value):
                self.heads.setdefault(form[:HEAD], []).append((form, number))
        self.files, self.bytes = 0, 0

    def in_bytes(self, data):
        """Numbers of the values that occur."""
        return {number for run in RUNS.finditer(data) for number in self._in_run(run[0])}

    def _in_run(self, run):
        heads = self.heads
        for at in range(len(run) - SHORTEST + 1):
            for form, number in heads.get(run[at : at + HEAD], ()):
                if run.startswith(form, at):
                    yield number

    def in_file(self, path):
        size = path.stat().st_size
        self.files += 1
        self.bytes += size
        if size == 0:
            return set()
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return self.in_bytes(data)
