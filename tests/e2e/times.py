"""Runs `cargo test -- --nocapture --test-threads=1`, and says at the end how long each test took, and each stage before it.

times.py SECONDS STAGE… -- COMMAND…: SECONDS were taken by the stages, whose lines are STAGE. Whoever ends this ends the tests."""

import os
import re
import signal
import subprocess
import sys
import time

BEGINS = re.compile(rb"^test (\S+) \.\.\. ")
ENDS = re.compile(rb"^test result: ")


def follow(output: int) -> list[tuple[str, float]]:
    """When each test began, and the last ended. A test's line begins when the test does, and ends when that has something to say."""
    seen, line, is_seen = [], b"", False
    while chunk := os.read(output, 65536):
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


def main() -> int:
    began, arguments = time.monotonic(), sys.argv[1:]
    end = arguments.index("--")
    before, stages, command = int(arguments[0]), arguments[1:end], arguments[end + 1 :]
    # In a group of their own, which is ended whole: cargo would leave the program that it runs behind.
    tests = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: os.killpg(tests.pid, number))
    seen = follow(tests.stdout.fileno())
    code = tests.wait()
    print("\nHow long each test took (the first starts the platform)")
    for (name, since), (_, until) in zip(seen, seen[1:]):
        if name:
            print(f"{until - since:6.0f} s  {name}")
    print("\nHow long it took", *stages, f"{before + time.monotonic() - began:6.0f} s  together, the tests among it", sep="\n")
    return code if code >= 0 else 128 - code


sys.exit(main())
