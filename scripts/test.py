"""The stages of scripts/test: each has a heading, its output, a summary with its time; the last line
of all is `N passed, N failed`."""

import argparse
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / "build/.venv-test"
VENV_PACKAGES = ["pytest==8.3.4", "pytest-xdist==3.6.1"]
# Tests wait for each other rather than for the machine, so files go side by side; a file is one after the other.
SIDE_BY_SIDE = ["-n", "2", "--dist", "loadfile"]
RESULTS = ROOT / "build/test-results"

# A sanitizer that finds something must fail the test, and leave the cause in the log.
SANITIZER_ENV = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


# What the sanitized hub goes through, some five minutes: people and their tokens, commits, files, builds, runs.
SANITIZED_E2E = ["test_people.py", "test_files.py", "test_first_light.py"]
# What goes through the most pointers to functions: routes, handlers, bodies that stream; and what is hostile.
CFI_WIRE = ["a2-create.wire", "b2-commit.wire", "b8-branches.wire", "a10-wishes.wire", "test_hostile.py"]
SHARED_TOOLS = ["uv", "test-base", ".venv-client-0.20.3", ".venv-client-2.4.0"]


class Totals:
    def __init__(self):
        self.passed = 0
        self.failed = 0


def run(command, env=None, quiet=False):
    """The exit status, and the output where it is not shown."""
    sys.stdout.flush()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
        errors="replace",
    )
    return done.returncode, done.stdout or ""


def read_junit(path):
    """Passed, failed and skipped of a JUnit file. Both meson and pytest write these."""
    passed = failed = skipped = 0
    for case in xml.parse(path).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failed += 1
        elif "skipped" in kinds:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def stage(totals, name, work):
    """Run one stage. Whatever ends one early, also a mistake of ours, is one failure."""
    print(f"\n== {name}", flush=True)
    start = time.monotonic()
    try:
        passed, failed, skipped = work()
    except Exception as problem:  # the stages behind it still count
        print(f"{type(problem).__name__}: {problem}")
        passed, failed, skipped = 0, 1, 0
    seconds = time.monotonic() - start
    note = f", {skipped} skipped" if skipped else ""
    print(f"-- {name}: {passed} passed, {failed} failed{note} in {seconds:.1f} s", flush=True)
    totals.passed += passed
    totals.failed += failed


def check(*command):
    """A script that prints what is wrong: one test."""

    def work():
        status, _ = run(list(command))
        return (1, 0, 0) if status == 0 else (0, 1, 0)

    return work


def meson_tests(build, only=None, timeout_factor=1, full=False):
    """The tests of a build directory, with the log of those that fail."""

    def work():
        junit = ROOT / build / "meson-logs/testlog.junit.xml"
        junit.unlink(missing_ok=True)
        names = select_meson(build, only)
        if only and not names:
            return 0, 0, 0
        command = ["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs"]
        command += ["--timeout-multiplier", str(timeout_factor), *names]
        env = {**SANITIZER_ENV, **({"ESPACE_TEST_FULL": "1"} if full else {})}
        status, output = run(command, env=env, quiet=True)
        if not junit.exists():
            print(output)
            return (0, 0, 0) if "No tests defined" in output else (0, 1, 0)
        passed, failed, skipped = read_junit(junit)
        if status != 0:
            print(output)
        return passed, max(failed, int(status != 0)), skipped

    return work


def select_meson(build, only):
    if not only:
        return []
    _, output = run(["meson", "test", "-C", build, "--list", "--no-rebuild"], quiet=True)
    names = [line.rsplit(" / ", 1)[-1].strip() for line in output.splitlines() if " / " in line]
    return [name for name in names if only in name]


def sanitized(kind, options):
    """Build with a sanitizer or CFI, then run the unit tests there; they are slower there."""

    def work():
        status, output = run(["scripts/build", f"--{kind}"], quiet=True)
        if status != 0:
            print(output)
            return 0, 1, 0
        return meson_tests(f"build-{kind}", options.k, timeout_factor=5, full=options.full)()

    return work


def prepare_venv():
    stamp = VENV / "packages"
    wanted = "\n".join(VENV_PACKAGES) + "\n"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--clear", VENV], check=True)
    pip = [VENV / "bin/pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *VENV_PACKAGES], check=True)
    stamp.write_text(wanted)


def pytest(folder, options, build, files=()):
    """Tests in Python of what lies in a build directory, which ESPACE_BUILD names to them."""

    def work():
        prepare_venv()
        junit = RESULTS / f"{Path(folder).name}-{build}.xml"
        RESULTS.mkdir(parents=True, exist_ok=True)
        junit.unlink(missing_ok=True)
        chosen = [f"{folder}/{file}" for file in files] or [folder]
        command = [VENV / "bin/pytest", *chosen, *SIDE_BY_SIDE, "-q", f"--junitxml={junit}", "-p", "no:cacheprovider"]
        if options.k:
            command += ["-k", options.k]
        env = {"ESPACE_BUILD": str(ROOT / build), "ESPACE_TEST_FULL": "1" if options.full else ""}
        status, _ = run(command, env={**SANITIZER_ENV, **env})
        if status == 5 and options.k:  # no test of that name is here
            return 0, 0, 0
        if not junit.exists():
            return 0, 1, 0
        passed, failed, skipped = read_junit(junit)
        return passed, max(failed, int(status != 0)), skipped

    return work


def sanitized_e2e(options):
    """--full: real clients and Spaces on a hub, runner and keeper with ASan and UBSan; short rounds."""

    def work():
        for name in SHARED_TOOLS:
            if (ROOT / "build" / name).exists():
                (ROOT / "build-asan" / name).unlink(missing_ok=True)
                (ROOT / "build-asan" / name).symlink_to(f"../build/{name}")
        short = argparse.Namespace(full=False, k=options.k)
        return pytest("tests/e2e", short, "build-asan", SANITIZED_E2E)()

    return work


def fuzz_rounds():
    """--full: each fuzzer for twenty seconds, beginning from its corpus."""
    status, output = run(["scripts/build", "--fuzz"], quiet=True)
    if status != 0:
        print(output)
        return 0, 1, 0
    passed = failed = 0
    for fuzzer in sorted((ROOT / "build-fuzz/tests/fuzz").glob("fuzz_*")):
        if not fuzzer.is_file() or not os.access(fuzzer, os.X_OK):
            continue
        found = RESULTS / "fuzz" / fuzzer.name
        found.mkdir(parents=True, exist_ok=True)
        corpus = ROOT / "tests/fuzz/corpus" / fuzzer.name.removeprefix("fuzz_")
        command = [fuzzer, "-max_total_time=20", f"-artifact_prefix={found}/", found, corpus]
        status, output = run(command, env=SANITIZER_ENV, quiet=True)
        print(f"{fuzzer.name}: {'ok' if status == 0 else 'failed'}", flush=True)
        if status != 0:
            print(output[-8000:])
        passed += status == 0
        failed += status != 0
    return passed, failed, 0


def parse_options():
    """What scripts/test --help says."""
    parser = argparse.ArgumentParser(prog="scripts/test", add_help=False)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true")
    size.add_argument("--quick", action="store_true")
    size.add_argument("--vm", action="store_true")
    parser.add_argument("-k")
    return parser.parse_args()


def close(totals):
    print(f"\n{totals.passed} passed, {totals.failed} failed")
    return 1 if totals.failed else 0


def main():
    options = parse_options()
    totals = Totals()

    def do(name, work):
        stage(totals, name, work)

    if options.vm:
        do("vm", pytest("tests/vm", options, "build"))
        return close(totals)
    if not options.k:
        do("check-layers", check("scripts/check-layers"))
        do("check-names", check("scripts/check-names"))
        do("format", check("scripts/format", "--check"))
        do("manual", check("scripts/manual", "--check"))
        if options.full:
            do("clang-tidy", check("scripts/tidy"))
    do("unit", meson_tests("build", options.k, full=options.full))
    if not options.quick:
        do("unit, ASan and UBSan", sanitized("asan", options))
    if options.full:
        do("unit, TSan", sanitized("tsan", options))
        do("unit, CFI", sanitized("cfi", options))
        do("wire, CFI", pytest("tests/wire", options, "build-cfi", CFI_WIRE))
        if not options.k:
            do("fuzz", fuzz_rounds)
    if not options.quick:
        for build in ("build", "build-asan"):
            do(f"wire, {build}", pytest("tests/wire", options, build))
        do("e2e", pytest("tests/e2e", options, "build"))
        if options.full:
            do("e2e, ASan and UBSan", sanitized_e2e(options))
        do("chaos", pytest("tests/chaos", options, "build"))
    return close(totals)


sys.exit(main())
