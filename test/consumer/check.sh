#!/bin/sh
# Installs a build into a fresh folder and uses it as somebody else would: check.sh BUILD
# By find_package and by pkg-config, each a worker and a client against the installed broker.
set -eu
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
broker=
trap '[ -z "$broker" ] || { kill "$broker"; wait "$broker" || true; }; rm -rf "$folder"' EXIT
prefix=$folder/prefix

cmake --install "$build" --prefix "$prefix" >/dev/null
cmake -S "$here" -B "$folder/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" --log-level=WARNING >/dev/null
cmake --build "$folder/build" >/dev/null

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name pointsman-client.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046  # flags are meant to be split
g++ -std=c++20 "$here/consumer.cpp" -o "$folder/consumer" \
  $(pkg-config --cflags --libs pointsman-client pointsman-worker)

clients=ipc://$folder/clients workers=ipc://$folder/workers
mkfifo "$folder/ready"
"$prefix/bin/pointsman" broker --clients "$clients" --workers "$workers" >"$folder/ready" &
broker=$!
exec 3<"$folder/ready"
read -r line <&3
echo "$line"
for consumer in "$folder/build/consumer" "$folder/consumer"; do
  timeout 30 "$consumer" "$clients" "$workers"
done
