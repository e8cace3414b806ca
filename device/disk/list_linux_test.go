package disk

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// TestList checks a laptop with a system disk, a USB reader with a card, an empty one, a
// card in a built-in reader, and an encrypted USB disk.
func TestList(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	device := func(place, size, removable, ro string) string {
		t.Helper()
		place = filepath.Join("sys/devices", place)
		write(place+"/size", size)
		write(place+"/removable", removable)
		write(place+"/ro", ro)
		name := filepath.Base(place)
		if err := os.MkdirAll(filepath.Join(root, "sys/block"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(root, place), filepath.Join(root, "sys/block", name)); err != nil {
			t.Fatal(err)
		}
		return place
	}
	nvme := device("pci0/nvme/nvme0n1", "1000215216", "0", "0")
	write(nvme+"/device/model", "Samsung SSD 980")
	write(nvme+"/nvme0n1p2/dev", "259:2")
	write(nvme+"/nvme0n1p3/dev", "259:3")
	sdb := device("pci0/usb1/1-4/block/sdb", "62333952", "1", "0")
	write(sdb+"/device/vendor", "Generic ")
	write(sdb+"/device/model", "SD/MMC Reader   ")
	write(sdb+"/sdb1/dev", "8:17")
	device("pci0/usb1/1-4/block/sdc", "0", "1", "0")
	mmc := device("pci0/mmc0/mmcblk0", "62333952", "0", "1")
	write(mmc+"/device/type", "SD")
	write(mmc+"/device/name", "SD32G")
	sdd := device("pci0/usb2/2-1/block/sdd", "4000797360", "0", "0")
	write(sdd+"/sdd1/holders/dm-0/dev", "254:0")
	device("virtual/block/loop0", "8", "0", "0")
	write("proc/self/mountinfo", "29 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw\n36 29 8:17 / /media/me/NO\\040NAME rw - vfat /dev/sdb1 rw")
	write("proc/swaps", "Filename Type Size Used Priority\n/dev/nvme0n1p3 partition 8000508 0 -2")

	got, err := List(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []Disk{
		{Path: "/dev/mmcblk0", Name: "SD32G", Bus: "SD", Size: 31914983424, Removable: true, ReadOnly: true},
		{Path: "/dev/nvme0n1", Name: "Samsung SSD 980", Bus: "NVMe", Size: 512110190592, Mounts: []string{"/"}, Uses: []string{"swap"}},
		{Path: "/dev/sdb", Name: "Generic SD/MMC Reader", Bus: "USB", Size: 31914983424, Removable: true, Mounts: []string{"/media/me/NO NAME"}},
		{Path: "/dev/sdc", Bus: "USB", Removable: true},
		{Path: "/dev/sdd", Bus: "USB", Size: 2048408248320, Uses: []string{"dm-0"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if _, err := List(filepath.Join(root, "absent")); err == nil {
		t.Error("a machine without /sys has disks")
	}
}

// Open must work on this machine; the kernel refuses a disk in use.
func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card")
	if err := os.WriteFile(path, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Forget(); err != nil {
		t.Error(err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("a disk that is not there was opened")
	}
}
