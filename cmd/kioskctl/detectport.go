package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

type portFinding struct {
	Device  string `json:"device"`  // the name that stays the same: /dev/serial0, /dev/serial/by-id/…
	TTY     string `json:"tty"`     // /dev/ttyAMA0
	Name    string `json:"name"`    // where it is, or what the USB adapter calls itself
	Console bool   `json:"console"` // the kernel writes to it
	Free    bool   `json:"free"`    // a display may be wired to it
}

// findPorts lists the serial ports of header and USB. Which display is at one
// cannot be asked: they do not answer.
func (m machine) findPorts(f *findings) {
	f.Serial = []portFinding{}
	consoles := strings.Fields(m.read("sys/class/tty/console/active"))
	names := m.portNames()
	for _, tty := range m.ttys(names) {
		device, ok := names[tty]
		if !ok {
			device = "/dev/" + tty
		}
		port := portFinding{Device: device, TTY: "/dev/" + tty, Name: m.portName(device, tty), Console: slices.Contains(consoles, tty)}
		port.Free = !port.Console && device != "/dev/serial1" && m.allowed(f, serialPorts, device, "dialout")
		f.Serial = append(f.Serial, port)
	}
	if !m.isPi() {
		return
	}
	if _, ok := m.aliases("dev/serial0")["serial0"]; !ok {
		f.advise("%s", m.enable("The header's serial port, for a display on pins 8 and 10", "enable_uart=1", "enable_uart=1"))
	}
	for _, port := range f.Serial {
		if port.Console && port.Device == "/dev/serial0" {
			f.advise("The kernel writes to the header's serial port: for a display there remove console=serial0,115200 from %s and restart", m.bootFile("cmdline.txt"))
		}
	}
}

// ttys lists the terminals that are serial ports: those of the board and of USB
// adapters, and whatever has a name of a port. Of the others that are called
// ttyS every kernel has some, with nothing behind them.
func (m machine) ttys(names map[string]string) []string {
	found := slices.Collect(maps.Keys(names))
	for _, pattern := range []string{"ttyAMA*", "ttyUSB*", "ttyACM*"} {
		paths, _ := filepath.Glob(m.path("dev", pattern)) // the patterns are sound
		for _, path := range paths {
			if tty := filepath.Base(path); names[tty] == "" {
				found = append(found, tty)
			}
		}
	}
	slices.Sort(found)
	return found
}

// portNames gives, by tty, the lasting names that udev made.
func (m machine) portNames() map[string]string {
	names := make(map[string]string)
	for _, pattern := range []string{"dev/serial[01]", "dev/serial/by-id/*"} {
		for alias, tty := range m.aliases(pattern) {
			name := filepath.Join("/", filepath.Dir(pattern), alias)
			if old, ok := names[tty]; !ok || name < old {
				names[tty] = name
			}
		}
	}
	return names
}

// aliases gives what symbolic links to devices point to, without /dev/, by
// their base names.
func (m machine) aliases(pattern string) map[string]string {
	links, _ := filepath.Glob(m.path(pattern)) // the patterns are sound
	found := make(map[string]string)
	for _, link := range links {
		to, err := os.Readlink(link)
		if err != nil {
			continue
		}
		if !filepath.IsAbs(to) {
			to = strings.TrimPrefix(filepath.Join(filepath.Dir(link), to), m.path("dev")+"/")
		}
		found[filepath.Base(link)] = strings.TrimPrefix(to, "/dev/")
	}
	return found
}

// portName tells where a port is.
func (m machine) portName(device, tty string) string {
	switch device {
	case "/dev/serial0":
		return "the header's pins 8 (TXD) and 10 (RXD)"
	case "/dev/serial1":
		return "Bluetooth's"
	}
	at, err := filepath.EvalSymlinks(m.path("sys/class/tty", tty, "device"))
	if err != nil {
		return "on the board"
	}
	// The USB device is some folders above its interface and port.
	for ; len(at) > len(m.root); at = filepath.Dir(at) {
		product, err := os.ReadFile(filepath.Join(at, "product"))
		if err != nil {
			continue
		}
		maker, _ := os.ReadFile(filepath.Join(at, "manufacturer")) // not all say
		return strings.TrimSpace(strings.TrimSpace(string(maker)) + " " + strings.TrimSpace(string(product)))
	}
	return "on the board"
}

// read gives a file's text, "" when it is not there: sysfs has files that not
// every kernel makes.
func (m machine) read(path string) string {
	text, _ := os.ReadFile(m.path(path))
	return strings.TrimRight(string(text), "\x00\n")
}
