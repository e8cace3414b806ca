#!/bin/sh
# Makes a bundle, which RAUC installs on kiosks with the image. Arguments: the root's file
# system, the version, the signer's certificate and its key (PEM files or PKCS #11 URLs), and
# the bundle to write.
set -eu

root=$(realpath "$1") version=$2 certificate=$3 key=$4 bundle=$5
work=$(mktemp -d "$(dirname "$bundle")/bundle-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/content"
ln "$root" "$work/content/root.ext4" 2>/dev/null || cp --sparse=always "$root" "$work/content/root.ext4"
cat >"$work/content/manifest.raucm" <<M
[update]
compatible=smartkiosk-arm64
version=$version

[bundle]
format=verity

[image.rootfs]
filename=root.ext4
M
rauc bundle --cert="$certificate" --key="$key" --mksquashfs-args="-comp zstd -Xcompression-level 9" "$work/content" "$work/bundle" >"$work/log" 2>&1 ||
	{ cat "$work/log" >&2; exit 1; }
mv "$work/bundle" "$bundle"
echo "$bundle"
