#!/bin/sh
# Builds the bench's kernel, a user-mode Linux, from Debian's source package and
# prints its path. The script builds once for each version of the package, of the
# options in kernel.config and of the changes in kernel.patch, which takes some
# minutes. It keeps the kernel in ~/.cache/smartkiosk, with what modules.sh needs to
# build modules for it. "kernel.sh cached" builds nothing, and fails when the kernel
# is not in the cache.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/smartkiosk/bench
package=linux-source-6.1
version=$(dpkg-query -W -f '${Version}' "$package")
# Comments do not change the kernel.
folder=$cache/linux-$version-$({ grep '^CONFIG' "$here/kernel.config"; sed -n '/^---/,$p' "$here/kernel.patch"; } | sha256sum | cut -c 1-8)

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
		grep -qxF "$wanted" "$tree/.config" || { echo "cannot set $wanted: an option that it depends on is missing in kernel.config" >&2; exit 1; }
	done
	build -j "$(nproc)" linux modules
	strip -o "$work/kernel/linux" "$tree/linux"
	# Keep only what is needed to build modules.
	find "$tree" -mindepth 1 -maxdepth 1 ! -name Makefile ! -name Kbuild ! -name .config ! -name Module.symvers \
		! -name arch ! -name include ! -name scripts -exec rm -r {} +
	find "$tree/arch" -mindepth 1 -maxdepth 1 ! -name um ! -name x86 -exec rm -r {} +
	find "$tree" -name '*.[aoS]' ! -path "$tree/scripts/*" -delete
	mv "$work/kernel" "$folder"
fi
echo "$folder/linux"
