// Package disk finds the disks of a technician's machine that an image may be written to,
// and writes and verifies images. It works on Linux and macOS.
package disk

import (
	"errors"
	"fmt"
	"strings"
)

// Disk is a whole disk of this machine.
type Disk struct {
	Path      string   // device, for example /dev/sdb or /dev/disk4
	Name      string   // what the maker calls it, "" if unknown
	Bus       string   // how it is connected, for example "USB", "SD" or "SATA"
	Size      int64    // in bytes; 0 for a reader without a card
	Removable bool     // the disk, or its medium, can be taken out
	ReadOnly  bool     // for example by the switch of an SD card
	Mounts    []string // folders where its partitions are mounted
	Uses      []string // other uses of its partitions: swap, a volume of LVM or RAID, encryption
}

// System reports whether the running system uses the disk for itself.
func (d Disk) System() bool {
	for _, m := range d.Mounts {
		if m == "/" || m == "/usr" || m == "/home" || m == "/var" || m == "/etc" || strings.HasPrefix(m, "/boot") || strings.HasPrefix(m, "/System") {
			return true
		}
	}
	return len(d.Uses) > 0
}

// Refusal returns why the disk must not be overwritten, or nil.
func (d Disk) Refusal() error {
	switch {
	case d.System():
		return fmt.Errorf("the running system uses it (%s)", strings.Join(append(append([]string{}, d.Mounts...), d.Uses...), ", "))
	case len(d.Mounts) > 0:
		return fmt.Errorf("it is mounted at %s: unmount it first", strings.Join(d.Mounts, ", "))
	case !d.Removable:
		return errors.New("it is not removable")
	case d.Size == 0:
		return errors.New("there is no card in it")
	case d.ReadOnly:
		return errors.New("it is write-protected: look at the switch of the card")
	}
	return nil
}

// Find returns the disk with a path.
func Find(disks []Disk, path string) (Disk, error) {
	for _, d := range disks {
		if d.Path == path {
			return d, nil
		}
		if rest, is := strings.CutPrefix(path, d.Path); is && strings.Trim(rest, "ps0123456789") == "" {
			return Disk{}, fmt.Errorf("%s is a partition: name the whole disk, %s", path, d.Path)
		}
	}
	return Disk{}, fmt.Errorf("%s is not a disk of this machine", path)
}

// FormatSize returns a number of bytes as makers of disks state it, for example "31.9 GB".
func FormatSize(bytes int64) string {
	switch {
	case bytes >= 1e12:
		return fmt.Sprintf("%.1f TB", float64(bytes)/1e12)
	case bytes >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}
