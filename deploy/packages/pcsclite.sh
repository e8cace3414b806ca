#!/bin/sh
# Unpacks the PC/SC library of another architecture, for building programs that use it,
# and prints its folder: root/ has its files, pkgconfig/ its descriptions. The script
# downloads the packages once for each architecture, from this machine's own package
# sources. It installs nothing, and does not change what apt and dpkg know.
set -eu

arch=$1
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/smartkiosk/packages
folder=$cache/pcsclite-$suite-$arch
if [ ! -d "$folder" ]; then
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/pcsclite-XXXXXX")
	trap 'rm -rf "$work"' EXIT
	mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/new/root" "$work/new/pkgconfig"
	touch "$work/status"
	apt() {
		apt-get -qq -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o APT::Sandbox::User=root -o Dir::State="$work/state" \
			-o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" "$@"
	}
	# A source that cannot be read now may not be the one with these packages.
	apt update >"$work/log" 2>&1 || true
	(cd "$work" && apt download libpcsclite1 libpcsclite-dev) >>"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
	for package in "$work"/*.deb; do
		dpkg-deb -x "$package" "$work/new/root"
	done
	find "$work/new/root" -name '*.pc' -exec cp {} "$work/new/pkgconfig" \;
	mv "$work/new" "$folder"
fi
echo "$folder"
