# Starts the first slot whose kernel can be read: root A (partition 2), then root B (3).
# The firmware, or QEMU, has put the device tree at ${fdt_addr}.
part uuid ${devtype} ${devnum}:1 boot_uuid
setexpr disk_id sub "-01" "" ${boot_uuid}
# A kernel of 38 MB does not fit in front of the Pi's default place for the initial file
# system.
if test "${board}" = "rpi"; then
	setenv ramdisk_addr_r 0x08000000
	setenv consoles "console=tty1"
else
	setenv consoles "console=tty1 console=ttyAMA0,115200"
fi
for slot in 2 3; do
	if load ${devtype} ${devnum}:${slot} ${kernel_addr_r} vmlinuz; then
		if load ${devtype} ${devnum}:${slot} ${ramdisk_addr_r} initrd.img; then
			setenv bootargs "root=PARTUUID=${disk_id}-0${slot} rootfstype=ext4 ro rootwait panic=10 ${consoles} systemd.show_status=auto systemd.firstboot=off"
			booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdt_addr}
		fi
	fi
done
reset
