package keypad

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPads checks that Pads lists what OpenUSB would use, and grabs nothing.
func TestPads(t *testing.T) {
	dir := t.TempDir()
	pad, keyboard, mouse := newFakePad("Test Pad"), newFakePad("Test Keyboard"), newFakePad("Test Mouse")
	keyboard.keys.add(16, 30, 44) // Q, A, Z
	mouse.keys = keyset{}
	devices := map[string]*fakePad{"event0": mouse, "event1": pad, "event2": keyboard}
	failures := map[string]error{"event3": os.ErrPermission, "event4": unix.ENODEV}
	for _, name := range []string{"event0", "event1", "event2", "event3", "event4", "mouse0"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := pads(dir, func(path string) (padFile, error) {
		if err := failures[filepath.Base(path)]; err != nil {
			return nil, err
		}
		return devices[filepath.Base(path)], nil
	})
	want := []Pad{{filepath.Join(dir, "event1"), "Test Pad", true}, {filepath.Join(dir, "event2"), "Test Keyboard", false}}
	if !reflect.DeepEqual(found, want) {
		t.Errorf("%+v, want %+v", found, want)
	}
	if err == nil || !strings.Contains(err.Error(), "event3") || !strings.Contains(err.Error(), "group input") || strings.Contains(err.Error(), "event4") {
		t.Errorf("%v", err)
	}
	for name, d := range devices {
		if d.grabbed {
			t.Errorf("grabbed %s", name)
		}
		select {
		case <-d.closed:
		default:
			t.Errorf("left %s open", name)
		}
	}
}
