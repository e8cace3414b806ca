package usbreader

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// speedFull is the kernel's number for 12 Mbit/s (enum usb_device_speed).
const speedFull = 2

// errNoPort says that the virtual host controller has no free port.
var errNoPort = errors.New("no free port")

// freePort finds a free port for a device slower than SuperSpeed in vhci_hcd's
// status (drivers/usb/usbip/vhci_sysfs.c): a line of headings, then a line for each
// port with hub, port, status, speed and more.
func freePort(status []byte) (int, error) {
	const (
		highSpeed = "hs" // the hub for devices slower than SuperSpeed
		free      = "004"
	)
	for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 || fields[0] != highSpeed || fields[2] != free {
			continue
		}
		if port, err := strconv.Atoi(fields[1]); err == nil && port >= 0 {
			return port, nil
		}
	}
	return 0, errNoPort
}

// attachment is the line that attaches a device: port, descriptor of the connected
// socket, the device's number at its own host, speed.
func attachment(port, socket int) string {
	const device = 1<<16 | 1
	return fmt.Sprintf("%d %d %d %d", port, socket, device, speedFull)
}
