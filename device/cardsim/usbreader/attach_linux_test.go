package usbreader

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestPlugInto writes to a host controller that consists of two files. It checks the
// first free port and the number of the socket.
func TestPlugInto(t *testing.T) {
	const status = "hub port sta spd dev      sockfd local_busid\nhs  0000 006 002 00010001 000005 1-1\nhs  0001 004 000 00000000 000000 0-0\n"
	controller := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(controller, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ours, theirs, err := pair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	defer theirs.Close()

	if err := plugInto(controller, theirs); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no controller: %v", err)
	}
	write("status", status)
	write("attach", "")
	if err := plugInto(controller, theirs); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(controller, "attach"))
	if want := "1 " + strconv.Itoa(int(theirs.Fd())) + " 65537 2"; err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	write("status", strings.ReplaceAll(status, "004", "006"))
	if err := plugInto(controller, theirs); err != errNoPort {
		t.Errorf("no free port: %v", err)
	}

	if _, err := theirs.Write([]byte{7}); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(io.LimitReader(ours, 1)); err != nil || string(b) != "\x07" {
		t.Errorf("over the pair: %X, %v", b, err)
	}
}

// TestAttachFails checks that without a host controller Attach fails and the reader
// stays unplugged.
func TestAttachFails(t *testing.T) {
	if _, err := os.Stat(vhci); err == nil {
		return
	}
	r := New(Config{Model: Twin})
	for range 2 {
		if _, err := r.Attach(); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "cannot attach reader: ") {
			t.Errorf("%v", err)
		}
	}
	if err := r.plug(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Attach(); !errors.Is(err, errPlugged) {
		t.Errorf("plugged in: %v", err)
	}
}
