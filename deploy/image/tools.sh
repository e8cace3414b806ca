#!/bin/sh
# Unpacks the tools of Debian 13 that make file systems, and the firmware of the Raspberry
# Pi, and prints their folder. Debian 12's mke2fs cannot make a file system from an
# archive, which is what makes images reproducible. The script installs nothing.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/smartkiosk/image
folder=$cache/tools-$(grep -v '^[[:space:]]*#' "$here/tools.sh" | sha256sum | cut -c 1-8)
if [ ! -d "$folder" ]; then
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/tools-build-XXXXXX")
	trap 'rm -rf "$work"' EXIT
	mirror=$(sed -n 's/^URIs: *//p; s/^deb \(\[.*\] \)\?\(http[^ ]*\).*/\2/p' /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | head -1)
	mmdebstrap --variant=extract --include=e2fsprogs,libarchive13t64 trixie "$work/host.tar" ${mirror:+"$mirror"} >"$work/log" 2>&1 ||
		{ tail -20 "$work/log" >&2; exit 1; }
	mmdebstrap --variant=extract --architectures=arm64 --components='main non-free-firmware' --include=raspi-firmware,u-boot-rpi trixie "$work/pi.tar" ${mirror:+"$mirror"} >"$work/log" 2>&1 ||
		{ tail -20 "$work/log" >&2; exit 1; }
	mkdir -p "$work/new/host" "$work/new/pi"
	tar -C "$work/new/host" --exclude=./dev -xf "$work/host.tar"
	tar -C "$work/new/pi" --wildcards -xf "$work/pi.tar" './usr/lib/raspi-firmware/*' './usr/lib/u-boot/rpi_arm64/*'
	mv "$work/new" "$folder"
fi
echo "$folder"
