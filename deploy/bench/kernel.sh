#!/bin/sh
# Builds the bench's kernel, a user-mode Linux, from the source that Debian
# packages, and prints its path. It is built once for each version of the
# package and of kernel.config, in some minutes, and kept in .cache/bench.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=$here/../../.cache/bench
package=linux-source-6.1
version=$(dpkg-query -W -f '${Version}' "$package")
kernel=$cache/linux-$version-$(sha256sum <"$here/kernel.config" | cut -c 1-8)

if [ ! -x "$kernel" ]; then
	echo "Building $(basename "$kernel") (once)" >&2
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/build-XXXXXX")
	trap 'rm -rf "$work"' EXIT
	tar -C "$work" --strip-components=1 -xf "/usr/src/$package.tar.xz"
	build() { nice make -C "$work" ARCH=um "$@" >>"$work/log" 2>&1 || { tail -20 "$work/log" >&2; exit 1; }; }
	build KCONFIG_ALLCONFIG="$here/kernel.config" allnoconfig
	build -j "$(nproc)" linux
	strip -o "$work/stripped" "$work/linux"
	mv "$work/stripped" "$kernel"
fi
echo "$kernel"
