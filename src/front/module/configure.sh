#!/bin/bash
# Make nginx's configuration headers, with the flags of the packaged nginx, so that a module built
# with them passes its check of the binary interface.
#   configure.sh SOURCE OUT: from the sources of nginx-dev in SOURCE into the folder OUT
set -euo pipefail
source=$1
mkdir -p "$2/nginx"
cd "$2/nginx"

# configure writes next to itself, and the package's folder is not ours.
ln -sfn "$source/configure" configure
ln -sfn "$source/auto" auto
ln -sfn "$source/src" src
. "$source/conf_flags"
./configure "${NGX_CONF_FLAGS[@]}" --builddir=objs >configure.log 2>&1 || {
	tail -n 5 configure.log >&2
	exit 1
}
cp objs/ngx_auto_config.h objs/ngx_auto_headers.h ..
