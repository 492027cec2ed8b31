#!/bin/sh
# Work from a shell: a worker made of an ordinary program, then requests to it.
# Usage: call.sh, with a broker running; POINTSMAN names the program if it is not on the path.
set -eu
pointsman=${POINTSMAN:-pointsman}

"$pointsman" worker --service shout -- tr a-z A-Z &
worker=$!
trap 'kill $worker; wait $worker || true' EXIT

"$pointsman" call shout --absent --wait 9s "a text"       # waits for the worker to come, prints A TEXT
echo "a pipe" | "$pointsman" call shout -                 # from stdin
"$pointsman" call shout "@$0" | head -n 2                 # from a file
"$pointsman" call shout --json "an object" | head -c 2000 # for programs
echo
"$pointsman" call nobody "lost" || echo "exit code $?"    # nobody offers it: refused at once
