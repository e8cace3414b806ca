#!/bin/sh
# Makes the base of the image's root from packages of Debian 13 (arm64), as a tar archive,
# and prints its path. The script makes it once for each version of itself. That takes
# half an hour on another architecture, because the packages are configured by an emulated
# processor. "root.sh cached" makes nothing, and fails when the base is not in the cache.
# It needs root.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/smartkiosk/image
# Comments do not change the root.
base=$cache/root-$(grep -v '^[[:space:]]*#' "$here/root.sh" | sha256sum | cut -c 1-8).tar

# The machine.
packages=systemd,systemd-sysv,systemd-resolved,systemd-timesyncd,udev,dbus,kmod,tzdata
packages=$packages,linux-image-arm64,initramfs-tools,zstd
# Its updates.
packages=$packages,rauc,rauc-service,libubootenv-tool
# Its disk: fdisk and e2fsprogs let the data partition grow, dosfstools checks the boot partition.
packages=$packages,fdisk,e2fsprogs,dosfstools
# Its network.
packages=$packages,iproute2,nftables,wpasupplicant,wireless-regdb,firmware-brcm80211
# What kioskd depends on, and speech.
packages=$packages,polkitd,pcscd,libccid,libpcsclite1,debconf,espeak-ng

# What the initial file system must be able to read: SD cards of the Pis, and the disk of
# QEMU's machine "virt". Without this list mkinitramfs takes every driver.
modules='ext4 mmc_block sdhci_iproc bcm2835 bcm2835_dma raspberrypi_hwmon gpio_raspberrypi_exp gpio_regulator clk_raspberrypi virtio_blk virtio_pci virtio_mmio'

if [ ! -e "$base" ]; then
	[ "${1:-}" != cached ] || exit 1
	echo "Making $(basename "$base") (once)" >&2
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/build-XXXXXX")
	trap 'rm -rf "$work"' EXIT
	sh "$here/emulate.sh"
	mirror=$(sed -n 's/^URIs: *//p; s/^deb \(\[.*\] \)\?\(http[^ ]*\).*/\2/p' /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | head -1)
	mkdir "$work/initramfs"
	printf 'MODULES=list\nCOMPRESS=zstd\n' >"$work/initramfs/kiosk.conf"
	# The kernel's package would run mkinitramfs twice. It runs once, at the end.
	printf 'update_initramfs=no\n' >"$work/initramfs/update-initramfs.conf"
	printf '%s\n' $modules >"$work/initramfs/modules"
	SOURCE_DATE_EPOCH=1700000000 mmdebstrap --mode=root --architectures=arm64 --variant=minbase --components='main non-free-firmware' --include="$packages" \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
		--dpkgopt=force-confold --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"' \
		--essential-hook="copy-in $work/initramfs/modules $work/initramfs/update-initramfs.conf /etc/initramfs-tools" \
		--essential-hook="copy-in $work/initramfs/kiosk.conf /etc/initramfs-tools/conf.d" \
		--customize-hook='kernel=$(basename "$1"/boot/vmlinuz-*); chroot "$1" mkinitramfs -o "/boot/initrd.img-${kernel#vmlinuz-}" "${kernel#vmlinuz-}"' \
		--customize-hook='rm -rf "$1"/var/log/* "$1"/var/cache/ldconfig "$1"/var/cache/debconf/*-old "$1"/etc/*- "$1"/var/lib/dbus/machine-id' \
		trixie "$work/root.tar" ${mirror:+"$mirror"} >"$work/log" 2>&1 || { tail -30 "$work/log" >&2; exit 1; }
	mv "$work/root.tar" "$base"
fi
echo "$base"
