#!/bin/sh
# Makes the root of the bench's machine from Debian packages, and prints its folder.
# It contains only what the programs of a kiosk need: no shell and no init. Nothing
# in it is configured, and the machine does not write to it. The script makes it once
# for each version of itself, which takes half a minute. "root.sh cached" makes
# nothing, and fails when the root is not in the cache.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/smartkiosk/bench
# Comments do not change the root.
folder=$cache/root-$(grep -v '^[[:space:]]*#' "$here/root.sh" | sha256sum | cut -c 1-8)

#   libc6          what kioskd's binding to PC/SC needs
#   libpcsclite1   the PC/SC interface to card readers
#   pcscd          the PC/SC service
#   libccid        its driver for USB readers
#   udev           tells pcscd when a reader is plugged in or unplugged
packages=libc6,libpcsclite1,pcscd,libccid,udev

if [ ! -d "$folder" ]; then
	[ "${1:-}" != cached ] || exit 1
	echo "Making $(basename "$folder") (once)" >&2
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/build-XXXXXX")
	trap 'rm -rf "$work"' EXIT
	# The host's own release, because our programs are linked with its libraries,
	# from the host's own package sources.
	suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
	set --
	for sources in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
		[ ! -s "$sources" ] || set -- "$@" "$sources"
	done
	mmdebstrap --variant=extract --include="$packages" "$suite" "$work/root.tar" "$@" >"$work/log" 2>&1 ||
		{ tail -20 "$work/log" >&2; exit 1; }
	mkdir "$work/root"
	# The machine's kernel makes the devices. All files belong to the user who runs
	# this script.
	tar -C "$work/root" --no-same-owner --exclude=./dev --exclude=./usr/share/doc --exclude=./usr/share/locale \
		--exclude=./usr/share/man -xf "$work/root.tar"
	for mount in bench dev proc run sys tmp; do
		mkdir -p "$work/root/$mount"
	done
	mv "$work/root" "$folder"
fi
echo "$folder"
