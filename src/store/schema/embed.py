"""Write the schema steps as C: embed.py OUT.c NNNN_what.sql...

Fails if the files are not numbered 0001, 0002, ... without a gap.
"""
import json
import pathlib
import sys

out, files = pathlib.Path(sys.argv[1]), [pathlib.Path(name) for name in sys.argv[2:]]
lines = ['#include "store/schema.h"', "", "const char *const schema_steps[] = {"]
for number, path in enumerate(files, 1):
    if not path.name.startswith(f"{number:04d}_"):
        sys.exit(f"embed.py: step {number} should be {number:04d}_*.sql, not {path.name}")
    lines.append(f"\t/* {path.name} */")
    # A JSON string of ASCII text is a C string as well.
    text = path.read_text(encoding="ascii")
    lines += [f"\t{json.dumps(line)}" for line in text.splitlines(keepends=True)]
    lines[-1] += ","
lines += ["\tNULL,", "};", ""]
out.write_text("\n".join(lines), encoding="ascii")
