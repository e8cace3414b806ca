package i2cbus

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// TestAdapters reads folders like those of a Raspberry Pi.
func TestAdapters(t *testing.T) {
	root := t.TempDir()
	if found, err := Adapters(root); len(found) != 0 || err != nil {
		t.Errorf("without any: %v, %v", found, err)
	}
	file := func(path, text string) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(path, to string) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	file("dev/i2c-1", "")
	file("dev/i2c-20", "")
	file("sys/bus/i2c/devices/i2c-1/name", "bcm2835 (i2c@7e804000)\n")
	file("sys/bus/i2c/devices/i2c-20/name", "fef04500.i2c\n")
	file("sys/bus/i2c/devices/i2c-3/name", "400000002.i2c\n") // without a device file: i2c-dev was loaded too late
	link("sys/bus/i2c/devices/1-0068/driver", "../../../../bus/i2c/drivers/rtc-ds1307")
	file("sys/bus/i2c/devices/1-0050/name", "24c32\n") // no driver
	link("sys/class/drm/card1-HDMI-A-1/ddc", "../../../../i2c-20")
	found, err := Adapters(root)
	want := []Adapter{
		{Number: 1, Name: "bcm2835 (i2c@7e804000)", Device: "/dev/i2c-1", Held: map[uint16]string{0x68: "rtc-ds1307"}},
		{Number: 3, Name: "400000002.i2c", Held: map[uint16]string{}},
		{Number: 20, Name: "fef04500.i2c", Device: "/dev/i2c-20", Screen: true, Held: map[uint16]string{}},
	}
	if err != nil || !reflect.DeepEqual(found, want) {
		t.Errorf("%+v, %v\nwant %+v", found, err, want)
	}
}
