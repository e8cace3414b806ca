#!/bin/sh
# Builds the bench's kernel, a user-mode Linux, from the source that Debian
# packages, and prints its path. It is built once for each version of the
# package, kernel.config and kernel.patch, in some minutes, and kept in
# ~/.cache/smartkiosk with what building modules for it takes (modules.sh).
# "kernel.sh cached" fails when it is not built, and builds nothing.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/smartkiosk/bench
package=linux-source-6.1
version=$(dpkg-query -W -f '${Version}' "$package")
folder=$cache/linux-$version-$(cat "$here/kernel.config" "$here/kernel.patch" | sha256sum | cut -c 1-8)

if [ ! -d "$folder" ]; then
	[ "${1:-}" != cached ] || exit 1
	echo "Building $(basename "$folder") (once)" >&2
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/build-XXXXXX")
	trap 'rm -rf "$work"' EXIT
	tree=$work/kernel/build
	mkdir -p "$tree"
	tar -C "$tree" --strip-components=1 -xf "/usr/src/$package.tar.xz"
	build() { nice make -C "$tree" ARCH=um "$@" >>"$work/log" 2>&1 || { tail -20 "$work/log" >&2; exit 1; }; }
	patch -s -d "$tree" -p 1 <"$here/kernel.patch"
	build KCONFIG_ALLCONFIG="$here/kernel.config" allnoconfig
	for wanted in $(grep '^CONFIG' "$here/kernel.config"); do
		grep -qxF "$wanted" "$tree/.config" || { echo "$wanted is not to be had" >&2; exit 1; }
	done
	build -j "$(nproc)" linux modules
	strip -o "$work/kernel/linux" "$tree/linux"
	# Of the tree, what modules are built with.
	find "$tree" -mindepth 1 -maxdepth 1 ! -name Makefile ! -name Kbuild ! -name .config ! -name Module.symvers \
		! -name arch ! -name include ! -name scripts -exec rm -r {} +
	find "$tree/arch" -mindepth 1 -maxdepth 1 ! -name um ! -name x86 -exec rm -r {} +
	find "$tree" -name '*.[aoS]' ! -path "$tree/scripts/*" -delete
	mv "$work/kernel" "$folder"
fi
echo "$folder/linux"
