package disk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
)

// List returns the physical disks of this machine. The argument is for other systems.
func List(string) ([]Disk, error) {
	text, err := plist("list", "physical")
	if err != nil {
		return nil, fmt.Errorf("cannot list disks: %w", err)
	}
	var list struct {
		AllDisksAndPartitions []struct {
			DeviceIdentifier string
			Partitions       []struct{ DeviceIdentifier string }
		}
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("cannot read the answer of diskutil: %w", err)
	}
	var found []Disk
	for _, whole := range list.AllDisksAndPartitions {
		info, err := plist("info", whole.DeviceIdentifier)
		if err != nil {
			return nil, fmt.Errorf("cannot examine disk %s: %w", whole.DeviceIdentifier, err)
		}
		var partitions [][]byte
		for _, p := range whole.Partitions {
			part, err := plist("info", p.DeviceIdentifier)
			if err != nil {
				return nil, fmt.Errorf("cannot examine disk %s: %w", p.DeviceIdentifier, err)
			}
			partitions = append(partitions, part)
		}
		d, err := readDiskutil(info, partitions...)
		if err != nil {
			return nil, err
		}
		found = append(found, d)
	}
	return found, nil
}

// plist returns an answer of diskutil(8) as JSON.
func plist(verb, about string) ([]byte, error) {
	text, err := exec.Command("diskutil", verb, "-plist", about).Output()
	if err != nil {
		return nil, err
	}
	convert := exec.Command("plutil", "-convert", "json", "-o", "-", "-")
	convert.Stdin = bytes.NewReader(text)
	return convert.Output()
}
