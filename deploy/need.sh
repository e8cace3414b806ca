#!/bin/sh
# Installs the missing ones of the given Debian packages and prints which they are and
# why they are needed. Arguments: package=reason or package:architecture=reason …
# Prints nothing if all are installed.
set -eu

missing='' said='' architectures=''
for need in "$@"; do
	package=${need%%=*} reason=${need#*=}
	if ! dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed; then
		missing="$missing $package"
		case $package in *:*) architectures="$architectures ${package#*:}" ;; esac
		said="$said
  $package: $reason"
	fi
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "These packages are missing, and there is no apt-get to install them with:$said" >&2
	exit 1
fi
echo "Installing what is missing:$said"

sudo=''
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || { echo "Run this as root, or install sudo." >&2; exit 1; }
	sudo=sudo
fi
for architecture in $architectures; do
	$sudo dpkg --add-architecture "$architecture"
done
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # $missing is a list, $sudo may be empty
if ! $sudo apt-get update >"$log" 2>&1 ||
	! $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >"$log" 2>&1; then
	cat "$log" >&2
	echo "Could not install$missing: see above." >&2
	exit 1
fi
