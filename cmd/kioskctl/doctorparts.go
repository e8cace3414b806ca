//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"smartkiosk/device/board"
)

func (d *doctor) pcscd(context.Context) diagnosis {
	if _, err := d.machine.readers(); err != nil {
		return diagnose(stateFailed, "%v", err).Advise("sudo systemctl restart pcscd.socket; is pcscd installed? journalctl -u pcscd says who may use it")
	}
	return diagnose(stateOK, "answers")
}

// reader looks for a reader whose name matches the configuration.
func (d *doctor) reader(context.Context) diagnosis {
	names, err := d.machine.readers()
	if err != nil {
		return diagnose(stateFailed, "%v", err).Advise("try again: pcscd has just ended")
	}
	match := ""
	if d.settings != nil {
		match = d.settings.Reader.Match
	}
	matching := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !strings.Contains(name, match) })
	switch devices := d.usbReaders(); {
	case len(matching) > 0:
		return diagnose(stateOK, "%s", strings.Join(quoted(matching), ", "))
	case len(names) > 0:
		return diagnose(stateFailed, "no reader's name contains %q; there is %s", match, strings.Join(quoted(names), ", ")).Advise("correct [reader] match in %s, or plug in the right reader; \"\" accepts every reader", d.config)
	case len(devices) > 0:
		return diagnose(stateFailed, "pcscd does not drive the reader that is plugged in: %s", strings.Join(quoted(devices), ", ")).Advise("is libccid installed? unplug the reader and plug it in again; journalctl -u pcscd says why")
	}
	return diagnose(stateFailed, "no card reader is plugged in").Advise("plug it in, into another socket if it was; its lamp must light up; lsusb lists it")
}

// usbReaders returns the USB devices that are card readers by their class, which is 0x0b
// for an interface (USB CCID 1.1, 4.3).
func (d *doctor) usbReaders() (products []string) {
	const smartCard = "0b"
	classes, _ := filepath.Glob(d.machine.path("sys/bus/usb/devices/*:*/bInterfaceClass")) // the pattern is valid
	for _, path := range classes {
		text, err := os.ReadFile(path)
		if err != nil || strings.TrimSpace(string(text)) != smartCard {
			continue
		}
		device, _, _ := strings.Cut(filepath.Base(filepath.Dir(path)), ":")
		product := d.machine.read(filepath.Join("sys/bus/usb/devices", device, "product"))
		products = append(products, orUnknown(product))
	}
	return products
}

func quoted(names []string) []string {
	var all []string
	for _, name := range names {
		all = append(all, fmt.Sprintf("%q", name))
	}
	return all
}

// panel looks at the panel as a whole.
func (d *doctor) panel(ctx context.Context) diagnosis {
	c := d.settings.Panel
	if c.Board == "" {
		conn, err := d.dial(ctx, "tcp", c.Listen)
		if err != nil {
			return diagnose(stateFailed, "the panel's page at http://%s/ does not answer", c.Listen).Advise("kioskd serves it: see kioskd below")
		}
		_ = conn.Close()
		return diagnose(stateOK, "a web page at http://%s/", c.Listen)
	}
	b, err := board.Load(c.Board)
	if err != nil {
		return diagnose(stateFailed, "%v", err).Advise("correct the wiring file; kioskctl panel detect proposes one")
	}
	return diagnose(stateOK, "%s (%s)", b.Name, c.Board)
}

// panelParts looks at each part of the panel.
func (d *doctor) panelParts(context.Context) []diagnosis {
	if d.settings.Panel.Board == "" {
		return nil
	}
	b, err := board.Load(d.settings.Panel.Board)
	if err != nil {
		return nil // the panel's diagnosis says it
	}
	var all []diagnosis
	for _, part := range b.Parts() {
		state, why := d.machine.look(part)
		f := diagnose(stateOK, "%s", why)
		if state == fault {
			f = diagnose(stateFailed, "%s", why).Advise("look at its plugs, wires and supply (%s); kioskctl panel test tests it while kioskd is stopped", part.Describe().Wiring)
		}
		f.Check = part.Section()
		all = append(all, f)
	}
	return all
}
