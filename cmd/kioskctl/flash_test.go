//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"
)

// Where the boot partition is in the image of imageCommand, in bytes. FAT32 needs 33 MB.
const (
	bootStart = 1 << 20
	bootSize  = 40 << 20
)

func imageCommand(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	fat := ts.MkAbs("fat")
	ts.Check(os.WriteFile(fat, make([]byte, bootSize), 0o600))
	ts.Check(exec.Command("/usr/sbin/mkfs.vfat", "-F", "32", "-s", "1", fat).Run())
	boot, err := os.ReadFile(fat)
	ts.Check(err)
	image := make([]byte, bootStart)
	image[450] = 0x0c // the type of the first partition
	binary.LittleEndian.PutUint32(image[454:], bootStart/512)
	binary.LittleEndian.PutUint32(image[458:], bootSize/512)
	image[510], image[511] = 0x55, 0xaa
	image = append(append(image, boot...), bytes.Repeat([]byte("root"), 1<<18)...)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), image, 0o600))
	encoder, err := zstd.NewWriter(nil)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".zst"), encoder.EncodeAll(image, nil), 0o600))

	device := filepath.Join(ts.Getenv("PI"), "dev/sdb")
	ts.Check(os.MkdirAll(filepath.Dir(device), 0o755))
	ts.Check(os.WriteFile(device, nil, 0o600))
	ts.Check(os.Truncate(device, int64(size)))
}

func bootfileCommand(ts *testscript.TestScript, _ bool, args []string) {
	device := filepath.Join(ts.Getenv("PI"), "dev/sdb")
	got, err := exec.Command("mtype", "-i", device+"@@"+strconv.Itoa(bootStart), "::"+args[0]).CombinedOutput()
	if err != nil {
		ts.Fatalf("%s: %v: %s", args[0], err, got)
	}
	if want := ts.ReadFile(args[1]); string(got) != want {
		ts.Fatalf("%s is %q, want %q", args[0], got, want)
	}
}
