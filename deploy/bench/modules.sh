#!/bin/sh
# Builds the bench's own kernel modules and prints their folder. The script builds
# once for each version of the modules and of the kernel, which takes seconds.
# "modules.sh cached" builds nothing, and fails when they are not in the cache.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
kernel=$(sh "$here/kernel.sh" "$@")
tree=$(dirname "$kernel")
folder=$tree/modules-$(cat "$here"/modules/* | sha256sum | cut -c 1-8)

if [ ! -d "$folder" ]; then
	[ "${1:-}" != cached ] || exit 1
	work=$(mktemp -d "$tree/modules-work-XXXXXX")
	trap 'rm -rf "$work"' EXIT
	cp "$here"/modules/* "$work"
	make -C "$tree/build" ARCH=um M="$work" modules >"$work/log" 2>&1 || { tail -40 "$work/log" >&2; exit 1; }
	mkdir "$work/built"
	mv "$work"/*.ko "$work/built"
	mv "$work/built" "$folder"
fi
echo "$folder"
