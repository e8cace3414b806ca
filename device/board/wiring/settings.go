package wiring

import "smartkiosk/device/board"

// setting is a line of a configuration file.
type setting struct{ where, what, why string }

const (
	configTxt = "config.txt"
	kernel    = "cmdline.txt"
)

// settings returns what a Pi needs for the parts of a board.
func settings(b *board.Board) []setting {
	var all []setting
	i2c, fast, uart := false, true, false
	used := map[string]bool{}
	for _, c := range Of(b) {
		for _, w := range c.Wires {
			i2c = i2c || w.Function == "SDA"
			uart = uart || w.Function == "TXD"
			fast = fast && !w.Slow
			used[w.Line] = w.Function == ""
		}
	}
	if i2c {
		all = append(all, setting{configTxt, "dtparam=i2c_arm=on", "the I²C bus of the header"})
		if fast {
			all = append(all, setting{configTxt, "dtparam=i2c_arm_baudrate=400000", "a full picture takes 25 ms instead of 100"})
		}
		all = append(all, setting{"/etc/modules-load.d/i2c.conf", "i2c-dev", "its device file"})
	}
	if uart {
		all = append(all,
			setting{configTxt, "enable_uart=1", "the serial port of the header"},
			setting{configTxt, "dtoverlay=disable-bt", "gives it the port with its own clock, which Bluetooth uses by default"},
			setting{kernel, "console=serial0,115200", "remove it: nothing else may write to the port; also disable serial-getty@ttyAMA0.service"})
	}
	for _, line := range []string{"GPIO7", "GPIO8", "GPIO9", "GPIO10", "GPIO11"} {
		if used[line] {
			all = append(all, setting{configTxt, "dtparam=spi=off", line + " belongs to SPI"})
			break
		}
	}
	if used["GPIO14"] || used["GPIO15"] {
		all = append(all, setting{configTxt, "enable_uart=0", "other parts use the lines of the serial port"})
	}
	if p := b.Buzzer.Piezo; p != nil {
		all = append(all,
			setting{configTxt, p.Overlay(), "the PWM signal of the sounder"},
			setting{configTxt, "dtparam=audio=off", "the headphone socket uses the same PWM"})
	}
	if b.Strike != nil {
		all = append(all, setting{configTxt, "dtparam=strict_gpiod", "a line that its program releases becomes an input, so the door shuts"})
	}
	if b.Watchdog != nil {
		all = append(all, setting{"/etc/systemd/system.conf", "RuntimeWatchdogSec=off", "only one program can use the watchdog: kioskd"},
			setting{"/etc/udev/rules.d/70-watchdog.rules", `KERNEL=="watchdog", GROUP="gpio", MODE="0660"`, "lets kioskd open it; otherwise only root can"})
	}
	return all
}
