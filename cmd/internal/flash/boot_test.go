package flash

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/cmd/internal/bootfiles"
	"smartkiosk/kiosk/protocol/est"
)

const (
	bootStart = 1 << 20
	bootSize  = 40 << 20
)

// newImage makes an image with a boot partition, which has config.txt, and 1 MiB after it.
func newImage(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	fat, config := filepath.Join(dir, "boot"), filepath.Join(dir, "config.txt")
	if err := os.WriteFile(fat, make([]byte, bootSize), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte("arm_64bit=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "mkfs.vfat", "-F", "32", "-s", "1", fat)
	run(t, "mcopy", "-i", fat, config, "::")
	content, err := os.ReadFile(fat)
	if err != nil {
		t.Fatal(err)
	}
	image := make([]byte, bootStart, bootStart+bootSize+1<<20)
	copy(image[446:], partition(0x0c, bootStart/sector, bootSize/sector))
	image[510], image[511] = 0x55, 0xaa
	image = append(image, content...)
	return append(image, bytes.Repeat([]byte("root"), 1<<18)...)
}

func partition(kind byte, start, size uint32) []byte {
	entry := make([]byte, 16)
	entry[4] = kind
	binary.LittleEndian.PutUint32(entry[8:], start)
	binary.LittleEndian.PutUint32(entry[12:], size)
	return entry
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	c.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// The files can be read by other programs, and nothing else changes.
func TestInsert(t *testing.T) {
	image := newImage(t)
	code, err := est.ParseCode(exampleCode)
	if err != nil {
		t.Fatal(err)
	}
	files, err := bootfiles.NewFiles(bootfiles.Settings{Hub: "https://hub.example:8443"}, code)
	if err != nil {
		t.Fatal(err)
	}
	in, err := insert(bytes.NewReader(image), files)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	end := bootStart + bootSize
	if len(got) != len(image) || !bytes.Equal(got[:bootStart], image[:bootStart]) || !bytes.Equal(got[end:], image[end:]) {
		t.Fatal("something outside of the boot partition is different")
	}
	fat := filepath.Join(t.TempDir(), "boot")
	if err := os.WriteFile(fat, got[bootStart:end], 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"kiosk.toml": "# The kiosk reads this file when it starts.\nhub = 'https://hub.example:8443'\n",
		"code.txt":   code.Text() + "\n",
		"config.txt": "arm_64bit=1\n",
	} {
		if text := run(t, "mtype", "-i", fat, "::"+name); text != want {
			t.Errorf("%s: %q, want %q", name, text, want)
		}
	}
	// Three files, and four clusters with that of the root folder.
	if out := run(t, "fsck.vfat", "-n", fat); strings.Contains(out, "wrong") || !strings.Contains(out, "3 files, 4/") {
		t.Errorf("fsck.vfat: %s", out)
	}
}

func TestFindBoot(t *testing.T) {
	first := func(entry []byte) []byte {
		s := make([]byte, sector)
		copy(s[446:], entry)
		s[510], s[511] = 0x55, 0xaa
		return s
	}
	if e, err := findBoot(first(partition(0x0c, 2048, 4096))); err != nil || e != (extent{1 << 20, 2 << 20}) {
		t.Errorf("%+v, %v", e, err)
	}
	for name, tt := range map[string]struct {
		sector []byte
		want   string
	}{
		"no table":  {make([]byte, sector), "it has no partition table"},
		"short":     {make([]byte, 100), "it has no partition table"},
		"Linux":     {first(partition(0x83, 2048, 4096)), "its first partition is of type 0x83 and not FAT32"},
		"GPT":       {first(partition(0xee, 1, 4096)), "its first partition is of type 0xee and not FAT32"},
		"at 0":      {first(partition(0x0c, 0, 4096)), "its boot partition has an impossible size"},
		"empty":     {first(partition(0x0c, 2048, 0)), "its boot partition has an impossible size"},
		"too large": {first(partition(0x0c, 2048, 1<<31)), "its boot partition has an impossible size"},
	} {
		if _, err := findBoot(tt.sector); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

func TestInsertRefuses(t *testing.T) {
	files := bootfiles.Files{Settings: []byte("hub = 'https://h'\n"), Code: []byte("k1:\n")}
	image := newImage(t)
	damaged := bytes.Clone(image)
	clear(damaged[bootStart : bootStart+sector])
	for name, tt := range map[string]struct {
		image []byte
		want  string
	}{
		"empty":     {nil, "cannot read image: EOF"},
		"text":      {bytes.Repeat([]byte("x"), 4096), "cannot use image: it has no partition table"},
		"cut short": {image[:2<<20], "cannot read image: EOF"},
		"no FAT":    {damaged, "cannot write to the image's boot partition: "},
	} {
		if _, err := insert(bytes.NewReader(tt.image), files); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

// FuzzWriteFAT checks that no boot partition makes writing panic or hang.
func FuzzWriteFAT(f *testing.F) {
	image := newImage(f)[:bootStart+1<<20]
	f.Add(image[bootStart : bootStart+4096])
	f.Fuzz(func(t *testing.T, head []byte) {
		if len(head) > 1<<16 {
			return
		}
		all := bytes.Clone(image)
		copy(all[bootStart:], head)
		file, err := os.CreateTemp(t.TempDir(), "image")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := file.Write(all); err != nil {
			t.Fatal(err)
		}
		_ = writeFAT(file, extent{bootStart, 1 << 20}, bootfiles.Files{Settings: []byte("hub"), Code: []byte("k1")})
	})
}
