#!/bin/sh
# A session for a program of any kind: a worker that serves HTTP by itself, and a command as its client.
# Usage: run.sh, with a broker running; POINTSMAN names the program if it is not on the path.
set -eu
pointsman=${POINTSMAN:-pointsman}
folder=$(mktemp -d)
echo "served by itself" >"$folder/index.html"

# The server is told in its environment where to listen; only the port matters to this one.
# shellcheck disable=SC2016  # meant for the inner shells
"$pointsman" worker --service page --server -- sh -c \
  'exec /usr/bin/python3 -m http.server --bind 127.0.0.1 --directory "$0" "${POINTSMAN_BIND##*:}"' "$folder" &
worker=$!
trap 'kill $worker; wait $worker || true; rm -r "$folder"' EXIT

# The command gets the worker's address in its environment; its slot is released when the command ends.
# shellcheck disable=SC2016
"$pointsman" run page --absent --wait 9s -- sh -c \
  '/usr/bin/python3 -c "import sys, urllib.request as web; print(web.urlopen(sys.argv[1]).read().decode())" \
    "http://${POINTSMAN_ENDPOINT#*://}/index.html"'
