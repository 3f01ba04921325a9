"""What the compiler and linker were asked for is in the binaries that were built.

usage: test_binaries.py plain|cfi ESPACED MODULE STEPS: the program, nginx's module, and the static
program that runs in builds
"""

import platform
import re
import subprocess
import sys

KIND, ESPACED, MODULE, STEPS = sys.argv[1:]
X86 = platform.machine() == "x86_64"

# Recorded for each file of ours, so that none is forgotten.
OPTIONS = ["-fstack-protector-strong", "-fstack-clash-protection", "-ftrivial-auto-var-init="]
if X86:
    OPTIONS.append("-fcf-protection")


def readelf(*arguments):
    return subprocess.run(["readelf", "--wide", *arguments], check=True, capture_output=True, text=True).stdout


def check_linked(path):
    header, segments, dynamic = readelf("-h", path), readelf("-l", path), readelf("-d", path)
    assert re.search(r"Type:\s+DYN", header), f"{path}: not position independent"
    assert "GNU_RELRO" in segments, f"{path}: no RELRO"
    assert re.search(r"FLAGS.*BIND_NOW|BIND_NOW|FLAGS_1.*NOW", dynamic), f"{path}: RELRO is not full: binds lazily"
    stack = re.search(r"GNU_STACK.*", segments)
    assert stack and "E" not in stack[0].split()[-2], f"{path}: its stack may hold code"
    for line in segments.splitlines():
        flags = re.match(r"\s+LOAD\s.*\s(R?\s?W?\s?E?)\s+0x\w+$", line)
        assert not flags or not ("W" in flags[1] and "E" in flags[1]), f"{path}: memory that is written and run: {line}"
    assert "TEXTREL" not in dynamic, f"{path}: code is written at the start"


def check_program(path):
    assert re.search(r"FLAGS_1.*PIE", readelf("-d", path)), f"{path}: no PIE"


def check_compiled(path):
    """Every file of ours, by what the compiler says of it."""
    info = subprocess.run(["readelf", "--debug-dump=info", "--dwarf-depth=1", path], check=True,
                          capture_output=True, text=True).stdout
    units = re.findall(r"DW_AT_producer.*?: ([^\n]*(?:GNU C|clang)[^\n]*)", info)
    ours = [unit for unit in units if "-std=gnu17" in unit or "-c " in unit]
    assert ours, f"{path}: nothing of ours in it"
    for unit in ours:
        for option in OPTIONS:
            assert option in unit, f"{path}: {option} is missing: {unit}"
    return len(ours)


def check_symbols(path, *wanted):
    symbols = readelf("--syms", path)
    for name in wanted:
        assert re.search(name, symbols, re.MULTILINE), f"{path}: {name} is never called"


def main():
    for path in (ESPACED, MODULE, STEPS):
        check_linked(path)
        print(f"{path}: {check_compiled(path)} files")
    check_program(ESPACED)
    check_program(STEPS)
    # FORTIFY shows in the checked functions that are called.
    check_symbols(ESPACED, r"__stack_chk_fail", r"__(memcpy|snprintf|vsnprintf|read)_chk")
    check_symbols(MODULE, r"__stack_chk_fail")
    check_symbols(STEPS, r"__stack_chk_fail")
    if KIND == "cfi":
        check_symbols(ESPACED, r"\.cfi(_jt)?$")
    if X86:
        code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", MODULE], check=True, capture_output=True,
                              text=True).stdout
        assert "endbr64" in code, "no landing marks for indirect jumps"


main()
