package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// bootPartition is where mtools finds the boot partition: 1 MiB from the start of the disk.
const bootPartition = "@@1M"

// makeDisk unpacks the image to a card that is larger, with the two files of a new kiosk.
func makeDisk(image, disk string, size int64, files string) error {
	if err := command("zstd", "-q", "-f", "-d", image, "-o", disk); err != nil {
		return err
	}
	if err := os.Truncate(disk, size); err != nil {
		return err
	}
	return command("mcopy", "-i", disk+bootPartition, filepath.Join(files, "kiosk.toml"), filepath.Join(files, "code.txt"), "::")
}

// setArguments adds arguments to the kernel's command line, by another boot script.
func setArguments(script, disk, arguments string) error {
	text, err := os.ReadFile(script)
	if err != nil {
		return err
	}
	const last = "rauc.slot=${slot}"
	if !strings.Contains(string(text), last) {
		return fmt.Errorf("%s does not contain %s", script, last)
	}
	work, err := os.MkdirTemp(filepath.Dir(disk), "script-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	source, made := filepath.Join(work, "boot.cmd"), filepath.Join(work, "boot.scr")
	if err := os.WriteFile(source, []byte(strings.Replace(string(text), last, last+" "+arguments, 1)), 0o600); err != nil {
		return err
	}
	if err := command("mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-d", source, made); err != nil {
		return err
	}
	return command("mcopy", "-o", "-i", disk+bootPartition, made, "::boot.scr")
}

// fallbackTimer ends the trial of a system in which kioskd does not start earlier than the
// image does.
const fallbackTimer = "[Timer]\nOnBootSec=\nOnBootSec=5min\n"

// trialArguments let the console show the whole log, and give the trial a shell.
func trialArguments() string {
	credential := func(name, text string) string {
		return " systemd.set_credential_binary=systemd." + name + ":" + base64.StdEncoding.EncodeToString([]byte(text))
	}
	return "systemd.journald.forward_to_console=1 systemd.wants=trial.service" +
		credential("extra-unit.trial.service", shellUnit) + credential("unit-dropin.kiosk-fallback.timer", fallbackTimer)
}

// dataPartition returns the first sector of the fourth partition, and the first behind it
// (the MBR's partition table: 16 bytes for each, from byte 446).
func dataPartition(disk string) (first, end int64, err error) {
	f, err := os.Open(disk)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	entry := make([]byte, 16)
	if _, err := f.ReadAt(entry, 446+3*16); err != nil {
		return 0, 0, err
	}
	first = int64(binary.LittleEndian.Uint32(entry[8:]))
	return first, first + int64(binary.LittleEndian.Uint32(entry[12:])), nil
}

// dataFileSystem returns the size of the data partition's file system in bytes, which its
// superblock states (ext4: 1 KiB from the start; blocks at byte 4, the block's size at 24).
func dataFileSystem(disk string) (int64, error) {
	first, _, err := dataPartition(disk)
	if err != nil {
		return 0, err
	}
	f, err := os.Open(disk)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	super := make([]byte, 64)
	if _, err := f.ReadAt(super, first*512+1024); err != nil {
		return 0, err
	}
	return int64(binary.LittleEndian.Uint32(super[4:])) * (1024 << binary.LittleEndian.Uint32(super[24:])), nil
}

// bundleDisk makes a disk with bundles, which the machine mounts.
func bundleDisk(path string, bundles ...string) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	args := append([]string{}, bundles...)
	args = append(args, path, "-quiet", "-no-progress", "-noappend", "-noI", "-noD", "-noF", "-noX")
	return command("mksquashfs", args...)
}

// brokenRoot copies a root and takes kioskd's program out of it.
func brokenRoot(root, copied string) error {
	if err := command("cp", "--sparse=always", root, copied); err != nil {
		return err
	}
	return command("debugfs", "-w", "-R", "rm /usr/bin/kioskd", copied)
}

// changed alters one byte in the middle of a file.
func changed(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	n, err := io.Copy(out, in)
	if err != nil {
		return err
	}
	one := make([]byte, 1)
	if _, err := in.ReadAt(one, n/2); err != nil {
		return err
	}
	one[0] ^= 1
	_, err = out.WriteAt(one, n/2)
	return err
}

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w:\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
