#!/bin/sh
# Builds the Debian packages of one architecture from this folder and the programs.
# Arguments: the architecture (amd64, arm64 or armhf) and the folder for the packages.
# Prints the packages' paths.
#
# These variables have defaults from the last commit: VERSION is the packages' version,
# COMMIT is what "version" prints, and SOURCE_DATE_EPOCH is the time in the packages. Two
# builds with the same values, sources and tools are identical.
set -eu

arch=$1 out=$2
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || echo 0)}"
: "${COMMIT:=$(git rev-parse HEAD 2>/dev/null || echo unknown)}"
: "${VERSION:=0.0.$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S)}"
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

case $arch in
amd64) export GOARCH=amd64 CC=x86_64-linux-gnu-gcc ;;
arm64) export GOARCH=arm64 CC=aarch64-linux-gnu-gcc ;;
armhf) export GOARCH=arm GOARM=7 CC=arm-linux-gnueabihf-gcc ;;
*) echo "cannot build for $arch: only amd64, arm64 and armhf" >&2; exit 2 ;;
esac
if [ "$arch" != "$(dpkg --print-architecture)" ]; then
	pcsc=$(sh "$here/pcsclite.sh" "$arch")
	export PKG_CONFIG_LIBDIR="$pcsc/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$pcsc/root"
fi

programs='kioskd kioskctl kioskhub kioskdemo smartkortsim'
paths=$(printf './cmd/%s ' $programs)
built=$(date -u -d "@$SOURCE_DATE_EPOCH" +%F)
cli=smartkiosk/cmd/internal/cli
# Position independent, and with the addresses of libraries fixed at the start, as
# Debian wants it. Without -s and -w a package would be twice as large.
# shellcheck disable=SC2086 # $paths is a list
CGO_ENABLED=1 GOOS=linux go build -trimpath -buildvcs=false -buildmode=pie \
	-ldflags "-s -w -linkmode external -extldflags '-Wl,-z,relro,-z,now' -X $cli.built=$built -X $cli.release=$VERSION -X $cli.revision=$COMMIT" \
	-o "$work/bin/" $paths
# Completion scripts are printed by programs of this machine's architecture.
# shellcheck disable=SC2086
env -u GOARCH -u GOARM -u CC -u PKG_CONFIG_LIBDIR -u PKG_CONFIG_SYSROOT_DIR go build -buildvcs=false -o "$work/native/" $paths

# put MODE FILE PATH copies a file into the package.
put() { install -D -m "$1" "$2" "$root$3"; }

# put_program NAME copies a program with its manual page and completion scripts.
put_program() {
	put 755 "$work/bin/$1" "/usr/bin/$1"
	put 644 "deploy/man/$1.1" "/usr/share/man/man1/$1.1"
	gzip -9n "$root/usr/share/man/man1/$1.1"
	mkdir -p "$root/usr/share/bash-completion/completions" "$root/usr/share/zsh/vendor-completions"
	"$work/native/$1" completion bash >"$root/usr/share/bash-completion/completions/$1"
	"$work/native/$1" completion zsh >"$root/usr/share/zsh/vendor-completions/_$1"
}

# put_documents PROGRAM... writes copyright, changelog and the licences of the modules
# that are linked into the programs.
put_documents() {
	doc=/usr/share/doc/$package
	put 644 "$here/copyright" "$doc/copyright"
	mkdir -p "$root$doc"
	printf '%s (%s) stable; urgency=medium\n\n  * See the history of the source.\n\n -- %s  %s\n' "$package" "$VERSION" "$maintainer" \
		"$(date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$root$doc/changelog.gz"
	sh "$here/licences.sh" "$@" | gzip -9n >"$root$doc/modules.gz"
}

maintainer='Smartkiosk maintainers <smartkiosk@example.org>'

# make_package makes the package from $root and from the control files in its folder.
make_package() {
	mkdir "$root/DEBIAN"
	glibc=$(for file in "$root"/usr/bin/*; do readelf -V --wide "$file"; done | grep -o 'GLIBC_[0-9][0-9.]*' | sort -Vu | tail -1 | cut -d _ -f 2)
	{
		sed -e "s/@GLIBC@/$glibc/; s/@VERSION@/$VERSION/" -e '/^Description:/,$d' "$here/$package/control"
		printf 'Version: %s\nArchitecture: %s\nMaintainer: %s\nInstalled-Size: %s\n' "$VERSION" "$arch" "$maintainer" \
			"$(find "$root" -path "$root/DEBIAN" -prune -o -type f -printf '%s\n' | awk '{ n += int(($1 + 1023) / 1024) } END { print n }')"
		sed -n '/^Description:/,$p' "$here/$package/control"
	} >"$root/DEBIAN/control"
	for script in config preinst postinst prerm postrm; do
		[ ! -e "$here/$package/$script" ] || install -m 755 "$here/$package/$script" "$root/DEBIAN/$script"
	done
	[ ! -e "$here/$package/templates" ] || install -m 644 "$here/$package/templates" "$root/DEBIAN/templates"
	(cd "$root" && find . -path ./DEBIAN -prune -o -type f -print | sort | cut -c 3- | xargs md5sum) >"$root/DEBIAN/md5sums"
	(cd "$root" && find etc -type f 2>/dev/null | sort | sed 's,^,/,') >"$root/DEBIAN/conffiles"
	[ -s "$root/DEBIAN/conffiles" ] || rm "$root/DEBIAN/conffiles"
	find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	file=$out/${package}_${VERSION}_$arch.deb
	dpkg-deb --root-owner-group -Zxz -z2 --build "$root" "$file" >/dev/null
	echo "$file"
}

for package in kioskd kioskctl kioskhub smartkiosk-demo; do
	root=$work/$package
	mkdir "$root"
	case $package in
	kioskd)
		put_program kioskd
		put_documents kioskd
		put 644 "$here/kioskd/kioskd.service" /usr/lib/systemd/system/kioskd.service
		put 644 "$here/kioskd/sysusers.conf" /usr/lib/sysusers.d/kioskd.conf
		put 644 "$here/kioskd/tmpfiles.conf" /usr/lib/tmpfiles.d/kioskd.conf
		put 644 "$here/kioskd/modules-load.conf" /usr/lib/modules-load.d/kioskd.conf
		put 644 "$here/kioskd/udev.rules" /usr/lib/udev/rules.d/72-kioskd.rules
		put 644 "$here/kioskd/polkit.rules" /usr/share/polkit-1/rules.d/kioskd.rules
		put 644 "$here/kioskd/kioskd.toml" /usr/share/doc/kioskd/examples/kioskd.toml
		for board in deploy/boards/*.toml; do
			put 644 "$board" "/usr/share/smartkiosk/boards/${board##*/}"
		done
		# "kioskctl enrol" writes state = "state", next to kioskd.toml.
		mkdir -p "$root/etc/smartkiosk"
		ln -s /var/lib/smartkiosk "$root/etc/smartkiosk/state"
		;;
	kioskctl)
		put_program kioskctl
		put_documents kioskctl
		;;
	kioskhub)
		put_program kioskhub
		put_documents kioskhub
		put 644 "$here/kioskhub/kioskhub.service" /usr/lib/systemd/system/kioskhub.service
		put 644 "$here/kioskhub/sysusers.conf" /usr/lib/sysusers.d/kioskhub.conf
		;;
	smartkiosk-demo)
		put_program kioskdemo
		put_program smartkortsim
		put_documents kioskdemo smartkortsim
		;;
	esac
	make_package
done
