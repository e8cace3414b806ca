#!/bin/sh
# Prints the wall card as a PDF. Argument: the path of the PDF.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
set --  "$(realpath -m "$1")"
mkdir -p "$(dirname "$1")"
sandbox=''
[ "$(id -u)" -ne 0 ] || sandbox=--no-sandbox
timeout 120 chromium --headless $sandbox --disable-gpu --user-data-dir="$profile" --no-pdf-header-footer \
	--print-to-pdf="$1" "file://$here/wallcard.html" >"$profile/log" 2>&1 || { cat "$profile/log" >&2; exit 1; }
