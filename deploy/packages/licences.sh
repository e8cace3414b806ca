#!/bin/sh
# Prints the licences of the modules that are linked into the given programs of cmd, as
# these licences require for copies of the programs.
set -eu

cd "$(dirname "$0")/../.."
paths=$(printf './cmd/%s ' "$@")
echo "These programs contain the following modules, each under its own licence."
# shellcheck disable=SC2086 # $paths is a list
CGO_ENABLED=1 go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' $paths | sort -u |
	while read -r module version folder; do
		printf '\n======== %s %s\n' "$module" "$version"
		found=''
		for file in "$folder"/LICENSE* "$folder"/LICENCE* "$folder"/COPYING* "$folder"/NOTICE*; do
			[ -f "$file" ] || continue
			found=yes
			printf '\n'
			cat "$file"
		done
		[ -n "$found" ] || { echo "$module has no licence file" >&2; exit 1; }
	done
printf '\n======== Go %s: standard library\n\n' "$(go env GOVERSION)"
cat "$(go env GOROOT)/LICENSE"
