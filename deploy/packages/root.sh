#!/bin/sh
# Makes the root of a Debian release (bookworm or trixie) in which packages are tried,
# and prints its folder. It has systemd and what our packages depend on, so that the test
# needs no network. It is made once for each version of this script.
set -eu

suite=$1
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/smartkiosk/packages
# Comments do not change the root.
folder=$cache/$suite-$(grep -v '^[[:space:]]*#' "$here/root.sh" | sha256sum | cut -c 1-8)

#   systemd-sysv     makes systemd the first process
#   polkitd          tells pcscd who may use cards
#   vsmartcard-vpcd  a virtual reader for pcscd
packages=systemd,systemd-sysv,udev,dbus,polkitd,pcscd,libccid,vsmartcard-vpcd,debconf,procps,iproute2

if [ ! -d "$folder" ]; then
	echo "Making $(basename "$folder") (once)" >&2
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/build-XXXXXX")
	trap 'rm -rf "$work"' EXIT
	mirror=$(sed -n 's/^URIs: *//p; s/^deb \(\[.*\] \)\?\(http[^ ]*\).*/\2/p' /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | head -1)
	mmdebstrap --variant=minbase --include="$packages" "$suite" "$work/root" ${mirror:+"$mirror"} >"$work/log" 2>&1 ||
		{ tail -20 "$work/log" >&2; exit 1; }
	mv "$work/root" "$folder"
fi
echo "$folder"
