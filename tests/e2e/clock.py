"""A wall clock that a test sets, of the processes that are started with its environment (clock.c)."""

import struct

from hub import BUILD


class Clock:
    def __init__(self, path):
        self.path = path
        self.environment = {"LD_PRELOAD": str(BUILD / "tests/e2e/clock.so"), "ESPACE_TEST_CLOCK": str(path)}
        self.jump(0)

    def jump(self, seconds):
        """So many seconds ahead of the machine's; never by a new file, for this one is mapped."""
        with open(self.path, "r+b" if self.path.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds))
        self.path.chmod(0o644)
