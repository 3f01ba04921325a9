# A text as a C string: each line becomes a literal of its own.
s/\\/\\\\/g
s/"/\\"/g
s/^/"/
s/$/\\n"/
