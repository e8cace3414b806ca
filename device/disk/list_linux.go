package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// sectorSize is the unit of "size" in /sys/block, whatever the disk's own sectors are.
const sectorSize = 512

// List returns the disks of the machine whose files are below root ("/" for this one).
// Loop devices, memory and volumes on other disks are left out.
func List(root string) ([]Disk, error) {
	folder := filepath.Join(root, "sys/block")
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot list disks: %w", err)
	}
	mounts := mountsByDevice(root)
	var found []Disk
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, "loop") || strings.HasPrefix(name, "ram") || strings.HasPrefix(name, "zram") ||
			strings.HasPrefix(name, "dm-") || strings.HasPrefix(name, "md") || strings.HasPrefix(name, "sr") {
			continue
		}
		found = append(found, describe(root, name, mounts))
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Path < found[j].Path })
	return found, nil
}

func describe(root, name string, mounts map[string][]string) Disk {
	folder := filepath.Join(root, "sys/block", name)
	read := func(file string) string {
		text, _ := os.ReadFile(filepath.Join(folder, file)) // a missing file means "unknown"
		return strings.TrimSpace(string(text))
	}
	sectors, _ := strconv.ParseInt(read("size"), 10, 64)
	d := Disk{
		Path: "/dev/" + name, Size: sectors * sectorSize,
		Name:      strings.TrimSpace(read("device/vendor") + " " + read("device/model")),
		Removable: read("removable") == "1", ReadOnly: read("ro") == "1",
	}
	place, err := filepath.EvalSymlinks(folder)
	if err != nil {
		place = folder
	}
	switch {
	case strings.Contains(place, "/usb"):
		d.Bus = "USB"
	case strings.HasPrefix(name, "mmcblk"):
		d.Bus, d.Name = read("device/type"), read("device/name")
		d.Removable = d.Removable || d.Bus == "SD" // the kernel calls a card in a built-in reader fixed
	case strings.HasPrefix(name, "nvme"):
		d.Bus = "NVMe"
	case strings.Contains(place, "/ata"):
		d.Bus = "SATA"
	case strings.HasPrefix(name, "vd"):
		d.Bus = "virtual"
	default:
		d.Bus = "other"
	}
	parts, _ := filepath.Glob(filepath.Join(folder, name+"*")) // the pattern is valid
	for _, part := range append([]string{folder}, parts...) {
		number, _ := os.ReadFile(filepath.Join(part, "dev"))
		d.Mounts = append(d.Mounts, mounts[strings.TrimSpace(string(number))]...)
		holders, _ := os.ReadDir(filepath.Join(part, "holders"))
		for _, h := range holders {
			d.Uses = append(d.Uses, h.Name())
		}
		if swap, _ := os.ReadFile(filepath.Join(root, "proc/swaps")); strings.Contains(string(swap), "/dev/"+filepath.Base(part)+" ") {
			d.Uses = append(d.Uses, "swap")
		}
	}
	return d
}

// mountsByDevice returns the mount points for each device number, as proc_pid_mountinfo(5)
// describes it.
func mountsByDevice(root string) map[string][]string {
	mounts := map[string][]string{}
	text, _ := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 4 {
			mounts[f[2]] = append(mounts[f[2]], strings.ReplaceAll(f[4], `\040`, " "))
		}
	}
	return mounts
}
