//go:build linux

package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

type portFinding struct {
	Device  string `json:"device"`  // stable name: /dev/serial0, /dev/serial/by-id/…
	TTY     string `json:"tty"`     // /dev/ttyAMA0
	Name    string `json:"name"`    // location, or the name of the USB adapter
	Console bool   `json:"console"` // the kernel writes its messages to it
	Free    bool   `json:"free"`    // a display may be wired to it
}

// findPorts lists the serial ports of the header and of USB adapters. The displays
// behind them cannot be identified, because they do not answer.
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
// adapters, and those with a stable name. Other terminals called ttyS are left out,
// because every kernel has some without a port.
func (m machine) ttys(names map[string]string) []string {
	found := slices.Collect(maps.Keys(names))
	for _, pattern := range []string{"ttyAMA*", "ttyUSB*", "ttyACM*"} {
		paths, _ := filepath.Glob(m.path("dev", pattern)) // the patterns are valid
		for _, path := range paths {
			if tty := filepath.Base(path); names[tty] == "" {
				found = append(found, tty)
			}
		}
	}
	slices.Sort(found)
	return found
}

// portNames returns the stable names that udev made, by tty.
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

// aliases returns the targets of symbolic links to devices, without /dev/, by the base
// names of the links.
func (m machine) aliases(pattern string) map[string]string {
	links, _ := filepath.Glob(m.path(pattern)) // the patterns are valid
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

// portName returns where a port is.
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
	// The USB device is some folders above its interface and port in sysfs.
	for ; len(at) > len(m.root); at = filepath.Dir(at) {
		product, err := os.ReadFile(filepath.Join(at, "product"))
		if err != nil {
			continue
		}
		maker, _ := os.ReadFile(filepath.Join(at, "manufacturer")) // not all devices have the file
		return strings.TrimSpace(strings.TrimSpace(string(maker)) + " " + strings.TrimSpace(string(product)))
	}
	return "on the board"
}

// read returns a file's text, or "" if the file is missing, because some files in sysfs
// do not exist on every kernel.
func (m machine) read(path string) string {
	text, _ := os.ReadFile(m.path(path))
	return strings.TrimRight(string(text), "\x00\n")
}
