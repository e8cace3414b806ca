# Starts root A (partition 2) or root B (3). Sector 0x20 of the disk contains three variables,
# which RAUC writes too: BOOT_ORDER, for example "B A", and BOOT_A_LEFT and BOOT_B_LEFT, how
# often each slot may still be tried. A sector is written completely or not at all.
# The firmware, or QEMU, has put the device tree at ${fdt_addr}.
part uuid ${devtype} ${devnum}:1 boot_uuid
setexpr disk_id sub "-01" "" ${boot_uuid}
# A kernel of 38 MB does not fit in front of the Pi's default place for the initial file
# system. QEMU puts the device tree at 0x08000000.
if test "${board}" = "rpi"; then
	setenv ramdisk_addr_r 0x0a000000
	setenv consoles "console=tty1"
else
	setenv consoles "console=tty1 console=ttyAMA0,115200"
fi

setenv BOOT_ORDER "A B"
setenv BOOT_A_LEFT 3
setenv BOOT_B_LEFT 3
setenv keep "env export -c -s 200 ${kernel_addr_r} BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT && ${devtype} write ${kernel_addr_r} 20 1"
${devtype} dev ${devnum}
if ${devtype} read ${kernel_addr_r} 20 1; then
	env import -c ${kernel_addr_r} 200 BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT
fi
for slot in ${BOOT_ORDER}; do
	setenv left ${BOOT_A_LEFT}
	setenv number 2
	if test ${slot} = B; then
		setenv left ${BOOT_B_LEFT}
		setenv number 3
	fi
	if test ${left} -gt 0; then
		setexpr left ${left} - 1
		setenv BOOT_${slot}_LEFT ${left}
		run keep
		if load ${devtype} ${devnum}:${number} ${kernel_addr_r} vmlinuz; then
			if load ${devtype} ${devnum}:${number} ${ramdisk_addr_r} initrd.img; then
				setenv bootargs "root=PARTUUID=${disk_id}-0${number} rootfstype=ext4 ro rootwait panic=10 ${consoles} systemd.show_status=auto systemd.firstboot=off rauc.slot=${slot}"
				booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdt_addr}
			fi
		fi
	fi
done
# No slot is left: try all again.
setenv BOOT_A_LEFT 3
setenv BOOT_B_LEFT 3
run keep
reset
