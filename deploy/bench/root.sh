#!/bin/sh
# Makes the root of the bench's machine from Debian's packages, and prints the
# folder it is in: what a kiosk's programs need to run, and no more. There is
# no shell and no init in it, nothing is configured, and nothing is written to
# it. It is made in half a minute, once for each version of this script.
# "root.sh cached" fails when it is not.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/smartkiosk/bench
folder=$cache/root-$(sha256sum <"$here/root.sh" | cut -c 1-8)

#   libc6          what kioskd's binding to PC/SC needs
#   libpcsclite1   the PC/SC interface to card readers
#   pcscd          the PC/SC service
#   libccid        its driver for USB readers
#   udev           tells pcscd of readers that come and go
packages=libc6,libpcsclite1,pcscd,libccid,udev

if [ ! -d "$folder" ]; then
	[ "${1:-}" != cached ] || exit 1
	echo "Making $(basename "$folder") (once)" >&2
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/build-XXXXXX")
	trap 'rm -rf "$work"' EXIT
	# The release that this machine has, as our programs are linked with its
	# libraries, from where this machine gets its own packages.
	suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
	set --
	for sources in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
		[ ! -s "$sources" ] || set -- "$@" "$sources"
	done
	mmdebstrap --variant=extract --include="$packages" "$suite" "$work/root.tar" "$@" >"$work/log" 2>&1 ||
		{ tail -20 "$work/log" >&2; exit 1; }
	mkdir "$work/root"
	# Devices are the kernel's to make; owners are whoever runs this.
	tar -C "$work/root" --no-same-owner --exclude=./dev --exclude=./usr/share/doc --exclude=./usr/share/locale \
		--exclude=./usr/share/man -xf "$work/root.tar"
	for mount in bench dev proc run sys tmp; do
		mkdir -p "$work/root/$mount"
	done
	mv "$work/root" "$folder"
fi
echo "$folder"
