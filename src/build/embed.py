"""Write a text file as a C string: embed.py IN OUT.h NAME."""
import json
import pathlib
import sys

source, out, name = sys.argv[1:]
# A JSON string of ASCII text is a C string as well.
lines = pathlib.Path(source).read_text(encoding="ascii").splitlines(keepends=True)
text = "\n".join(f"\t{json.dumps(line)}" for line in lines)
pathlib.Path(out).write_text(f"#pragma once\n\nstatic const char {name}[] =\n{text};\n", encoding="ascii")
