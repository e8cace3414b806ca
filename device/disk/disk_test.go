package disk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
)

func TestRefusal(t *testing.T) {
	card := Disk{Path: "/dev/sdb", Size: 32e9, Removable: true}
	change := func(f func(*Disk)) Disk { d := card; f(&d); return d }
	for _, tt := range []struct {
		disk Disk
		want string // "" if it may be written
	}{
		{card, ""},
		{change(func(d *Disk) { d.Mounts = []string{"/media/me/BOOT"} }), "it is mounted at /media/me/BOOT: unmount it first"},
		{change(func(d *Disk) { d.Mounts = []string{"/"} }), "the running system uses it (/)"},
		{change(func(d *Disk) { d.Mounts = []string{"/boot/efi"} }), "the running system uses it (/boot/efi)"},
		{change(func(d *Disk) { d.Uses = []string{"dm-0"} }), "the running system uses it (dm-0)"},
		{change(func(d *Disk) { d.Removable = false }), "it is not removable"},
		{change(func(d *Disk) { d.Size = 0 }), "there is no card in it"},
		{change(func(d *Disk) { d.ReadOnly = true }), "it is write-protected: look at the switch of the card"},
	} {
		got := ""
		if err := tt.disk.Refusal(); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.disk, got, tt.want)
		}
	}
}

func TestFind(t *testing.T) {
	disks := []Disk{{Path: "/dev/sda"}, {Path: "/dev/mmcblk0"}, {Path: "/dev/disk4"}}
	if d, err := Find(disks, "/dev/mmcblk0"); err != nil || d.Path != "/dev/mmcblk0" {
		t.Errorf("%+v, %v", d, err)
	}
	for path, want := range map[string]string{
		"/dev/sda1":      "/dev/sda1 is a partition: name the whole disk, /dev/sda",
		"/dev/mmcblk0p2": "/dev/mmcblk0p2 is a partition: name the whole disk, /dev/mmcblk0",
		"/dev/disk4s1":   "/dev/disk4s1 is a partition: name the whole disk, /dev/disk4",
		"/dev/sdb":       "/dev/sdb is not a disk of this machine",
		"/dev/sdab":      "/dev/sdab is not a disk of this machine",
	} {
		if _, err := Find(disks, path); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

// card is a disk in memory. It can fail at an offset, lose power, or remember wrongly.
type card struct {
	data   []byte
	failAt int64 // of a write; -1 for never
	err    error
	rotten int64 // a byte that reads as another; -1 for none
	fresh  bool  // Forget was called
}

func newCard(size int) *card { return &card{data: make([]byte, size), failAt: -1, rotten: -1} }

func (c *card) WriteAt(p []byte, at int64) (int, error) {
	if c.failAt >= 0 && at+int64(len(p)) > c.failAt {
		return 0, c.err
	}
	if at+int64(len(p)) > int64(len(c.data)) {
		return 0, syscall.ENOSPC
	}
	return copy(c.data[at:], p), nil
}

func (c *card) ReadAt(p []byte, at int64) (int, error) {
	n := copy(p, c.data[at:])
	if c.fresh && at <= c.rotten && c.rotten < at+int64(n) {
		p[c.rotten-at] ^= 1
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (c *card) Sync() error   { return nil }
func (c *card) Forget() error { c.fresh = true; return nil }

// pattern returns n bytes without a repetition at the size of a chunk.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>13 + 1)
	}
	return b
}

func TestWriteAndVerify(t *testing.T) {
	for _, size := range []int{1, 512, chunk, chunk + 1, 2*chunk + 700} {
		image := pattern(size)
		c := newCard(4 * chunk)
		var last int64
		progress := func(n int64) {
			if n <= last {
				t.Errorf("progress goes from %d to %d", last, n)
			}
			last = n
		}
		w, err := Write(t.Context(), c, bytes.NewReader(image), progress)
		padded := append(bytes.Clone(image), make([]byte, (512-size%512)%512)...)
		if err != nil || w.Size != int64(len(padded)) || last != w.Size || w.Digest != sha256.Sum256(padded) {
			t.Fatalf("%d bytes: %+v, %v", size, w, err)
		}
		if !bytes.HasPrefix(c.data, padded) {
			t.Fatalf("%d bytes: the disk has something else", size)
		}
		last = 0
		if err := Verify(t.Context(), c, w, progress); err != nil || last != w.Size || !c.fresh {
			t.Errorf("%d bytes: verify: %v", size, err)
		}
		c.rotten = w.Size - 1
		if err := Verify(t.Context(), c, w, func(int64) {}); !errors.Is(err, ErrDiffers) {
			t.Errorf("%d bytes: a disk that does not keep the last byte: %v", size, err)
		}
	}
}

// A card that fails, at every chunk, has no partition table, so that it does not start.
func TestWriteFails(t *testing.T) {
	image := pattern(3 * chunk)
	for at := int64(0); at < 3*chunk; at += chunk / 2 {
		c := newCard(4 * chunk)
		c.failAt, c.err = at, syscall.EIO
		_, err := Write(t.Context(), c, bytes.NewReader(image), func(int64) {})
		if err == nil || !strings.Contains(err.Error(), "the disk fails at ") || !strings.HasSuffix(err.Error(), ": use another card") {
			t.Errorf("at %d: %v", at, err)
		}
		if !bytes.Equal(c.data[:512], make([]byte, 512)) {
			t.Errorf("at %d: the card has a partition table", at)
		}
	}
	for cause, want := range map[error]string{
		syscall.ENXIO:  "the disk went away at 0.0 MB: was it pulled out?",
		syscall.ENOSPC: "the disk ends after 0.0 MB, and the image is larger",
		syscall.EPERM:  "cannot write image at 0.0 MB: operation not permitted",
	} {
		c := newCard(chunk)
		c.failAt, c.err = 0, cause
		if _, err := Write(t.Context(), c, bytes.NewReader(image), func(int64) {}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", cause, err, want)
		}
	}
	if _, err := Write(t.Context(), newCard(chunk), bytes.NewReader(nil), func(int64) {}); err == nil || err.Error() != "cannot write image: it is empty" {
		t.Errorf("an empty image: %v", err)
	}
	broken := io.MultiReader(bytes.NewReader(image[:chunk]), brokenReader{})
	if _, err := Write(t.Context(), newCard(4*chunk), broken, func(int64) {}); err == nil || !strings.Contains(err.Error(), "cannot read image: ") {
		t.Errorf("an image that cannot be read: %v", err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("checksum mismatch") }

func TestWriteStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := newCard(4 * chunk)
	_, err := Write(ctx, c, bytes.NewReader(pattern(3*chunk)), func(int64) { cancel() })
	if !errors.Is(err, context.Canceled) || !bytes.Equal(c.data[:512], make([]byte, 512)) {
		t.Errorf("%v; first bytes %x", err, c.data[:8])
	}
}

func TestReadDiskutil(t *testing.T) {
	whole := []byte(`{"DeviceNode":"/dev/disk4","MediaName":"Built In SDXC Reader","BusProtocol":"Secure Digital","TotalSize":31914983424,"Removable":true,"RemovableMedia":true,"Ejectable":true,"Internal":true,"WritableMedia":true,"WholeDisk":true,"MountPoint":""}`)
	d, err := readDiskutil(whole, []byte(`{"MountPoint":"/Volumes/BOOT"}`))
	if err != nil || d.Path != "/dev/disk4" || d.Bus != "Secure Digital" || d.Size != 31914983424 || !d.Removable || d.ReadOnly || len(d.Mounts) != 1 {
		t.Errorf("%+v, %v", d, err)
	}
	internal := []byte(`{"DeviceNode":"/dev/disk0","MediaName":"APPLE SSD AP0512","BusProtocol":"Apple Fabric","TotalSize":500277792768,"Internal":true,"WritableMedia":true}`)
	if d, err = readDiskutil(internal, []byte(`{"APFSContainerReference":"disk3"}`)); err != nil || d.Refusal() == nil || !d.System() {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := readDiskutil([]byte("<plist>")); err == nil || !strings.Contains(err.Error(), "cannot read the answer of diskutil") {
		t.Errorf("XML: %v", err)
	}
}

// FuzzReadDiskutil checks that no answer makes readDiskutil panic.
func FuzzReadDiskutil(f *testing.F) {
	f.Add([]byte(`{"DeviceNode":"/dev/disk4"}`))
	f.Fuzz(func(t *testing.T, text []byte) { _, _ = readDiskutil(text, text) })
}

func TestFormatSize(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0.0 MB", 7_500_000: "7.5 MB", 31_914_983_424: "31.9 GB", 2_000_398_934_016: "2.0 TB"} {
		if got := FormatSize(bytes); got != want {
			t.Errorf("%d: %s, want %s", bytes, got, want)
		}
	}
}
