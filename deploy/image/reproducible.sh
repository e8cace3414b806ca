#!/bin/sh
# Builds the packages and the image a second time, from a copy of the files in another folder,
# and fails unless the image is identical to the one in the given folder. Needs root.
set -eu

first=$(realpath "$1")
cd "$(dirname "$0")/../.."
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
COMMIT=$(git rev-parse HEAD)
export SOURCE_DATE_EPOCH COMMIT
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tree"
git ls-files -z --cached --others --exclude-standard | tar --null -T - -c | tar -x -C "$work/tree"
sh "$work/tree/deploy/packages/build.sh" arm64 "$work/packages" >/dev/null
sh "$work/tree/deploy/image/build.sh" "$work/packages" "$work/image" >/dev/null
for file in root.ext4 kiosk.img.zst kiosk.packages.txt kiosk.cdx.json; do
	cmp "$first/$file" "$work/image/$file" || { echo "$file is not reproducible" >&2; exit 1; }
	echo "identical: $file"
done
