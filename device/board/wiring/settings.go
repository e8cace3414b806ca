package wiring

import "smartkiosk/device/board"

// setting is something that the machine must be told.
type setting struct{ where, what, why string }

const (
	configTxt = "config.txt"
	kernel    = "cmdline.txt"
)

// settings are what a Pi needs for the parts of a board.
func settings(b *board.Board) []setting {
	var all []setting
	i2c, fast, uart := false, true, false
	used := map[string]bool{}
	for _, c := range Of(b) {
		for _, w := range c.Wires {
			i2c = i2c || w.Function == "SDA"
			uart = uart || w.Function == "TXD"
			used[w.Line] = w.Function == ""
		}
		if _, backpack := c.Part.(*board.PCF8574); backpack {
			fast = false // NXP PCF8574 datasheet: 100 kHz at most
		}
	}
	if i2c {
		all = append(all, setting{configTxt, "dtparam=i2c_arm=on", "the I²C bus of the header"})
		if fast {
			all = append(all, setting{configTxt, "dtparam=i2c_arm_baudrate=400000", "a whole picture in 25 ms, not in 100"})
		}
		all = append(all, setting{"/etc/modules-load.d/i2c.conf", "i2c-dev", "its device file"})
	}
	if uart {
		all = append(all,
			setting{configTxt, "enable_uart=1", "the serial port of the header"},
			setting{configTxt, "dtoverlay=disable-bt", "gives it the port with a clock of its own, which Bluetooth has otherwise"},
			setting{kernel, "console=serial0,115200", "to be taken out: nothing else may write to the port; disable serial-getty@ttyAMA0.service too"})
	}
	for _, line := range []string{"GPIO7", "GPIO8", "GPIO9", "GPIO10", "GPIO11"} {
		if used[line] {
			all = append(all, setting{configTxt, "dtparam=spi=off", line + " is one of its lines"})
			break
		}
	}
	if used["GPIO14"] || used["GPIO15"] {
		all = append(all, setting{configTxt, "enable_uart=0", "the serial port's lines are used"})
	}
	if p := b.Buzzer.Piezo; p != nil {
		all = append(all,
			setting{configTxt, p.Overlay(), "the sounder's wave"},
			setting{configTxt, "dtparam=audio=off", "the headphones' socket wants the same"})
	}
	if b.Strike != nil {
		all = append(all, setting{configTxt, "dtparam=strict_gpiod", "a line that its program lets go of becomes an input, and the door shuts"})
	}
	if b.Watchdog != nil {
		all = append(all, setting{"/etc/systemd/system.conf", "RuntimeWatchdogSec=off", "one program at a time has the watchdog: kioskd"},
			setting{"/etc/udev/rules.d/70-watchdog.rules", `KERNEL=="watchdog", GROUP="gpio", MODE="0660"`, "which is root's otherwise"})
	}
	return all
}
