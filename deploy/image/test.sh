#!/bin/sh
# Boots the image in QEMU, with the files of a new kiosk on its boot partition and a hub on
# this machine, until the kiosk is enrolled and serves. Then it cuts the power, and boots
# again. Arguments: the image, and the folder with our programs. Prints each check, and the
# times in seconds.
set -eu

image=$1 bin=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
hub='' machine=''
end() {
	[ -z "$machine" ] || kill "$machine" 2>/dev/null || true
	[ -z "$hub" ] || kill "$hub" 2>/dev/null || true
	rm -rf "$work"
}
trap end EXIT
check() {
	what=$1
	shift
	if "$@" >"$work/last" 2>&1; then
		echo "ok      $what"
	else
		echo "FAILED  $what: $*"
		cat "$work/last"
		tail -n 40 "$work/console"
		exit 1
	fi
}
fails() { ! "$@"; }

zstd -q -d "$image" -o "$work/disk"
# The card is larger than the image.
truncate -s 4G "$work/disk"

# The guest sees this machine as 10.0.2.2.
"$bin/smartkortsim" pki "$work/pki" >/dev/null
"$bin/kioskhub" init --listen 127.0.0.1:18443 --url https://10.0.2.2:18443 --trust "$work/pki" "$work/hub" >/dev/null
"$bin/kioskhub" serve --dir "$work/hub" >"$work/hub.log" 2>&1 &
hub=$!
"$bin/kioskhub" codes new --dir "$work/hub" --csv k1 >"$work/list.csv"
"$bin/kioskctl" provision --list "$work/list.csv" "$work/cards" >/dev/null
mcopy -i "$work/disk@@1M" "$work/cards/k1/kiosk.toml" "$work/cards/k1/code.txt" ::

# The console shows the whole log.
sed 's/systemd.show_status=auto/& systemd.journald.forward_to_console=1/' "$here/boot.cmd" >"$work/boot.cmd"
mkimage -A arm64 -T script -C none -d "$work/boot.cmd" "$work/boot.scr" >/dev/null
mcopy -o -i "$work/disk@@1M" "$work/boot.scr" ::boot.scr

# boot starts the machine and waits until the kiosk serves.
boot() {
	: >"$work/console"
	began=$(date +%s)
	qemu-system-aarch64 -M virt -cpu cortex-a53 -smp 2 -m 1024 -bios /usr/lib/u-boot/qemu_arm64/u-boot.bin \
		-drive "if=none,id=disk,format=raw,file=$work/disk" -device virtio-blk-device,drive=disk \
		-netdev user,id=net -device virtio-net-device,netdev=net \
		-device qemu-xhci -device usb-ccid \
		-display none -monitor none -serial "file:$work/console" &
	machine=$!
	for _ in $(seq 900); do
		! grep -q 'msg=ready' "$work/console" || break
		kill -0 "$machine" || break
		sleep 1
	done
	now=$(date +%s)
	kernel=$(grep -o '^\[ *[0-9.]*\] Run /init' "$work/console" | head -1 || true)
	echo "        $((now - began)) s from power on to a kiosk that serves ($kernel)"
	check 'the kiosk serves' grep -q 'msg=ready' "$work/console"
}
cut() {
	kill -9 "$machine"
	wait "$machine" 2>/dev/null || true
	machine=''
}

boot
check 'it enrolled' grep -q 'msg=enrolled kiosk=k1' "$work/console"
check 'the hub knows it' sh -c '"$1" kiosk list --dir "$2" | grep "k1 .*valid"' sh "$bin/kioskhub" "$work/hub"
check 'its code is used' sh -c '"$1" codes list --dir "$2" | grep "k1 .*used"' sh "$bin/kioskhub" "$work/hub"
cut
check 'the code is deleted' fails mtype -i "$work/disk@@1M" ::code.txt
# Partition 4 ends where the disk ends, and so does its file system.
check 'the data partition has grown' sh -c 'sfdisk -l -o End "$1" | tail -1 | grep -x 8388607' sh "$work/disk"
check 'its file system has grown' sh -c 'dd if="$1" bs=512 skip=3278848 count=4096 status=none >"$1.data" && dumpe2fs -h "$1.data" | grep "^Block count: *638720$"' sh "$work/disk"
check 'the settings are kept' mtype -i "$work/disk@@1M" ::kiosk.toml
boot
check 'it did not enrol again' fails grep -q 'msg=enrolled' "$work/console"
cut
