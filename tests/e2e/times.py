"""Passes on what `cargo test -- --nocapture --test-threads=1` prints, and says at the end how long each test took."""

import os
import re
import sys
import time

BEGINS = re.compile(rb"^test (\S+) \.\.\. ")
ENDS = re.compile(rb"^test result: ")


def follow() -> list[tuple[str, float]]:
    """When each test began, and the last ended. A test's line begins when the test does, and ends when that has something to say."""
    seen, line, is_seen = [], b"", False
    while chunk := os.read(0, 65536):
        os.write(1, chunk)
        for part in chunk.splitlines(keepends=True):
            line += part
            found = BEGINS.match(line) or ENDS.match(line)
            if found and not is_seen:
                is_seen = True
                seen.append((found[1].decode() if found.lastindex else "", time.monotonic()))
            if line.endswith(b"\n"):
                line, is_seen = b"", False
    return seen


def main() -> None:
    seen = follow()
    print("\nHow long each test took (the first starts the platform)")
    for (name, began), (_, ended) in zip(seen, seen[1:]):
        if name:
            print(f"{ended - began:6.0f} s  {name}")


main()
