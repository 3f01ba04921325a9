"""The smoke script: every check that this version of the client can make, in one process. Prints one
line for each, and as its last the result in JSON."""

import importlib
import json
import sys
import time
import traceback

from smoke import CHECKS

PARTS = ("repos", "write", "read", "filesystem", "cards", "composite", "lists", "refs", "spaces")


def run(word):
    passed, failed = 0, {}
    for function in CHECKS:
        label = f"{function.__module__}.{function.__name__}"
        if word not in label:
            continue
        start = time.monotonic()
        try:
            function()
            passed += 1
        except Exception:
            failed[label] = traceback.format_exc()
        print(f"{time.monotonic() - start:6.2f} s {'FAILED' if label in failed else 'ok'} {label}", flush=True)
    return {"passed": passed, "failed": failed}


for part in PARTS:
    importlib.import_module(part)
print(json.dumps(run(sys.argv[1] if len(sys.argv) > 1 else "")))
