#!/bin/sh
# Runs every fuzz target of the module, one after the other, so long each.
# Arguments: the time per target (default 1m), then packages (default ./...).
# What a target finds is in its package's testdata/fuzz afterwards, to be
# committed with the correction. Goes on after a failure, and fails at the end.
set -eu

time=${1:-1m}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- ./...

# "go test -list" prints a package's targets and then "ok <package> …".
listed=$(go test -list '^Fuzz' "$@") || { printf '%s\n' "$listed" >&2; exit 1; }
targets=$(printf '%s\n' "$listed" | awk '
	/^Fuzz/ { names[++n] = $1; next }
	/^ok/ { for (i = 1; i <= n; i++) print $2, names[i]; n = 0 }')
[ -n "$targets" ] || { echo "There are no fuzz targets in $*." >&2; exit 1; }

failed=''
while read -r package target; do
	echo "== $package $target"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" </dev/null || failed="$failed
  $package $target"
done <<TARGETS
$targets
TARGETS
[ -z "$failed" ] || { echo "These failed:$failed" >&2; exit 1; }
