#!/bin/sh
# Builds the image of a kiosk from its packages for arm64. Arguments: the folder with the
# packages, and the folder for the image. Prints the path of the image. Needs root. KEYRING
# is the file with the CA of those who sign updates; by default a CA for trying out.
#
# Two builds of one commit are identical, as long as root.sh and tools.sh find the same
# versions of Debian's packages. SOURCE_DATE_EPOCH is by default the time of the last
# commit.
set -eu

packages=$(realpath "$1") out=$2
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || echo 0)}"
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
umask 022
mkdir -p "$out"
out=$(realpath "$out")
base=$(sh "$here/root.sh")
tools=$(sh "$here/tools.sh")
keyring=${KEYRING:-$(sh "$here/keys.sh")/ca.pem}
sh "$here/emulate.sh"
work=$(mktemp -d "${XDG_CACHE_HOME:-$HOME/.cache}/smartkiosk/image/work-XXXXXX")
trap 'rm -rf "$work"' EXIT

# Identities and sizes (MiB). The disk's id is part of the partitions' ids, which the
# kernel finds the root by.
export MKE2FS_CONFIG="$tools/host/etc/mke2fs.conf"
disk_id=6b696f73
boot_mb=64 root_mb=768 data_mb=512
root_id=6b696f73-0000-4000-8000-000000000002 data_id=6b696f73-0000-4000-8000-000000000004

# debian TOOL ... runs a tool of Debian 13.
debian() {
	tool=$1
	shift
	libraries=$(find "$tools/host/usr/lib" -name libc.so.6 -printf '%h\n')
	"$libraries"/ld-linux-*.so.* --library-path "$libraries" "$tools/host/usr/sbin/$tool" "$@"
}

# The root: the base, our packages, and our configuration.
root=$work/root
mkdir "$root"
tar -C "$root" --numeric-owner -xpf "$base"
cp "$packages"/kioskd_*_arm64.deb "$packages"/kioskctl_*_arm64.deb "$root/tmp/"
# systemd-tmpfiles needs /proc.
unshare --mount sh -c 'mount -t proc proc "$1/proc" && DEBIAN_FRONTEND=noninteractive chroot "$1" sh -c "dpkg -i /tmp/*.deb"' sh "$root" >"$work/log" 2>&1 ||
	{ tail -20 "$work/log" >&2; exit 1; }
rm "$root"/tmp/*.deb
tar -C "$here/files" --owner=0 --group=0 -cf - . | tar -C "$root" -xf -
install -m 644 "$keyring" "$root/etc/rauc/keyring.pem"
version=$(chroot "$root" dpkg-query -W -f '${Version}' kioskd)
printf 'IMAGE_ID=smartkiosk\nIMAGE_VERSION=%s\n' "$version" >>"$root/usr/lib/os-release"
uid=$(awk -F: '$1 == "kioskd" { print $3 }' "$root/etc/passwd")
gid=$(awk -F: '$1 == "kioskd" { print $4 }' "$root/etc/passwd")
cat >"$root/etc/fstab" <<E
PARTUUID=$disk_id-01 /boot/firmware      vfat  noatime,sync,umask=0077,uid=$uid,gid=$gid,nofail 0 2
UUID=$data_id /data ext4  noatime,errors=remount-ro,x-systemd.growfs 0 2
/data/config        /etc/smartkiosk     none  bind,x-systemd.requires-mounts-for=/data 0 0
/data/state         /var/lib/smartkiosk none  bind,x-systemd.requires-mounts-for=/data 0 0
tmpfs               /var                tmpfs mode=755,size=64M 0 0
tmpfs               /tmp                tmpfs mode=1777,size=32M 0 0
E
echo kiosk >"$root/etc/hostname"
printf '127.0.0.1 localhost kiosk\n::1 localhost\n' >"$root/etc/hosts"
: >"$root/etc/machine-id"
mkdir -p "$root/data" "$root/boot/firmware"
ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
unit() { systemctl --quiet --root="$root" "$@"; }
unit enable systemd-networkd systemd-resolved systemd-timesyncd nftables fstrim.timer kiosk-grow kiosk-wifi
# Nobody logs in. apt and dpkg have nothing to do on a root that is replaced as a whole.
unit mask getty.target getty@.service serial-getty@.service console-getty.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service
unit set-default multi-user.target
# kiosk-wifi starts it when there is a wifi.conf; the journal is empty at every start.
unit mask wpa_supplicant.service systemd-journal-catalog-update.service
# /var is empty at every start; systemd-tmpfiles makes what is needed. The list of packages
# goes next to the image.
chroot "$root" dpkg-query -W -f '${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}\n' | sort >"$work/packages.txt"
mv "$root/etc/smartkiosk" "$work/config"
mkdir "$root/etc/smartkiosk"
rm -rf "$root"/var/* "$root"/tmp/* "$root"/etc/*- "$root"/usr/share/bash-completion "$root"/usr/share/zsh "$root"/dev/* "$root"/etc/initramfs-tools

# archive FOLDER writes a folder as an archive that does not depend on this machine.
archive() {
	tar -C "$1" --sort=name --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --format=posix \
		--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime -cf - .
}
# ext4 FILE MB LABEL UUID [FOLDER] makes a file system. U-Boot must be able to read it.
ext4() {
	truncate -s "${2}M" "$1"
	set -- "$1" "$3" "$4" ${5:+"$5"}
	if [ $# -eq 4 ]; then
		archive "$4" >"$work/archive.tar"
		set -- "$1" "$2" "$3" -d "$work/archive.tar"
	else
		set -- "$1" "$2" "$3" -d "$work/nothing.tar"
	fi
	file=$1 label=$2 uuid=$3
	shift 3
	debian mke2fs -q -F -t ext4 -O '^metadata_csum_seed,^orphan_file' -m 0 -L "$label" -U "$uuid" -E "hash_seed=$uuid,lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0" "$@" "$file"
}
mkdir "$work/nothing"
archive "$work/nothing" >"$work/nothing.tar"
ext4 "$work/root.ext4" $root_mb root $root_id "$root"
mkdir -p "$work/data/state" "$work/data/rauc"
mv "$work/config" "$work/data/config"
chown "$uid:$gid" "$work/data/state" "$work/data/config"
chmod 700 "$work/data/state" "$work/data/config"
ext4 "$work/data.ext4" $data_mb data $data_id "$work/data"

# The boot partition.
boot=$work/boot
mkdir "$boot"
cp "$tools"/pi/usr/lib/raspi-firmware/bootcode.bin "$tools"/pi/usr/lib/raspi-firmware/start*.elf "$tools"/pi/usr/lib/raspi-firmware/fixup*.dat "$boot/"
cp "$tools/pi/usr/lib/u-boot/rpi_arm64/u-boot.bin" "$boot/"
cp "$root"/usr/lib/linux-image-*/broadcom/bcm2837-rpi-3-*.dtb "$root"/usr/lib/linux-image-*/broadcom/bcm2837-rpi-zero-2-w.dtb "$root"/usr/lib/linux-image-*/broadcom/bcm2711-rpi-4-b.dtb "$boot/"
cp "$here/config.txt" "$boot/"
mkimage -A arm64 -T script -C none -n kiosk -d "$here/boot.cmd" "$boot/boot.scr" >/dev/null
find "$boot" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
truncate -s "${boot_mb}M" "$work/boot.fat"
mkfs.vfat --invariant -i "$disk_id" -F 32 -s 1 -n BOOT "$work/boot.fat" >/dev/null
(cd "$boot" && mcopy -m -i "$work/boot.fat" $(ls | sort) ::)

# Which slot starts: A, which is good. B is empty.
printf 'BOOT_ORDER=A B\nBOOT_A_LEFT=9\nBOOT_B_LEFT=0\n' >"$work/env.txt"
mkenvimage -s 512 -o "$work/env" "$work/env.txt"

# The disk. Root B is empty: it is for updates.
image=$work/image
truncate -s $((1 + boot_mb + 2 * root_mb + data_mb))M "$image"
sfdisk --quiet "$image" <<E
label: dos
label-id: 0x$disk_id
start=1MiB, size=${boot_mb}MiB, type=c, bootable
size=${root_mb}MiB, type=83
size=${root_mb}MiB, type=83
size=${data_mb}MiB, type=83
E
at=1
for part in boot.fat root.ext4 empty data.ext4; do
	if [ $part = empty ]; then
		at=$((at + root_mb))
		continue
	fi
	dd if="$work/$part" of="$image" bs=1M seek=$at conv=notrunc,sparse status=none
	at=$((at + $(stat -c %s "$work/$part") / 1048576))
done
dd if="$work/env" of="$image" bs=512 seek=32 conv=notrunc status=none
zstd -q -f -9 -T1 "$image" -o "$out/kiosk.img.zst"
mv "$work/root.ext4" "$out/root.ext4"
echo "$version" >"$out/version"
cp "$work/packages.txt" "$out/kiosk.packages.txt"
go run ./deploy/image/sbom "$root/usr/bin/kioskd" "$root/usr/bin/kioskctl" <"$work/packages.txt" >"$out/kiosk.cdx.json"
(cd "$out" && sha256sum kiosk.img.zst kiosk.packages.txt kiosk.cdx.json >SHA256SUMS)
echo "$out/kiosk.img.zst"
