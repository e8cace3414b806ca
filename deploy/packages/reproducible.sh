#!/bin/sh
# Builds the packages of this machine's architecture a second time, in another folder, and
# fails unless they are identical to those in the given folder.
set -eu

first=$(realpath "$1")
cd "$(dirname "$0")/../.."
arch=$(dpkg --print-architecture)
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
COMMIT=$(git rev-parse HEAD)
export SOURCE_DATE_EPOCH COMMIT
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tree"
git ls-files -z --cached --others --exclude-standard | tar --null -T - -c | tar -x -C "$work/tree"
for package in $(sh "$work/tree/deploy/packages/build.sh" "$arch" "$work/second"); do
	name=${package##*/}
	cmp "$package" "$first/$name" || { echo "$name is not reproducible" >&2; exit 1; }
	echo "identical: $name"
done
