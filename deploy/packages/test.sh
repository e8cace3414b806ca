#!/bin/sh
# Installs, starts, upgrades, downgrades, removes and purges the packages of this
# machine's architecture in fresh roots of Debian 12 and 13, with systemd as their first
# process. inside.sh has the steps. Prints each check. Arguments: the folder with the
# packages; optionally a folder with the packages of the version before. Without it, that
# version is made from the same files.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
newer=$(realpath "$1")
arch=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ $# -gt 1 ]; then
	older=$(realpath "$2")
else
	older=$work/older
	mkdir "$older"
	for package in "$newer"/*_"$arch".deb; do
		version=$(dpkg-deb -f "$package" Version)
		dpkg-deb -R "$package" "$work/unpacked"
		sed -i "s/^Version: .*/Version: 0~before/; s/(= $version)/(= 0~before)/" "$work/unpacked/DEBIAN/control"
		dpkg-deb --root-owner-group -Znone --build "$work/unpacked" "$older" >/dev/null
		rm -r "$work/unpacked"
	done
fi

failed=''
for suite in bookworm trixie; do
	root=$(sh "$here/root.sh" "$suite")
	result=$work/$suite
	mkdir "$result"
	echo "== $suite"
	# Changes go to an overlay, so that each test begins with a fresh root. unshare:
	# what systemd mounts in the container must not appear outside.
	status=0
	timeout 300 unshare --mount env SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 \
		systemd-nspawn --quiet --directory="$root" --volatile=overlay --register=no --keep-unit --private-network --machine="packages-$suite" \
		--bind-ro="$older:/packages/older" --bind-ro="$newer:/packages/newer" --bind-ro="$here:/packages/test" \
		--bind="$result:/packages/result" --bind-ro="$here/inside.service:/etc/systemd/system/inside.service" \
		--boot systemd.unit=inside.service >"$result/console" 2>&1 </dev/null || status=$?
	cat "$result/checks" 2>/dev/null || true
	if [ "$status" -ne 0 ]; then
		failed="$failed $suite"
		tail -n 20 "$result/journal" 2>/dev/null || tail -n 50 "$result/console"
	fi
done
[ -z "$failed" ] || { echo "the packages fail in$failed" >&2; exit 1; }
