"""espace-steps: what it prints, and whose exit status it ends with."""
import subprocess
import sys


def run(*args):
    done = subprocess.run([sys.argv[1], *args], capture_output=True, text=True)
    return done.returncode, done.stdout


echo = "/bin/echo"
assert run("One", "--", echo, "a", ";;", "Two", "--", echo, "b; c") == (0, "==> One\na\n==> Two\nb; c\n")
assert run("One", "--", "/bin/false", ";;", "Two", "--", echo, "b") == (1, "==> One\n")
assert run("One", "--", "/no/such") == (127, "==> One\n")
assert run("One", "--", "/bin/sh", "-c", "kill -9 $$") == (137, "==> One\n")
assert run() == (2, "")
assert run("One", echo, "a") == (2, "")
assert run("One", "--", ";;", "Two", "--", echo) == (2, "")
