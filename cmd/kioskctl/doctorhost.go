//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Bits of get_throttled, the Pi's own report about its supply and temperature
// (documentation of vcgencmd). The same bits shifted by 16 say that it has happened since
// the machine was started.
const (
	underVoltage = 1 << iota
	frequencyCapped
	throttled
	tooWarm
	sinceStart = 16
)

// hot is the temperature at which a Pi soon becomes slower, in thousandths of a degree.
const hot = 80_000

func (d *doctor) power(context.Context) diagnosis {
	const supply = "use the Pi's own power supply and a short, thick cable; unplug what else draws current from its USB"
	temperature := ""
	warm := false
	if t, err := strconv.Atoi(d.machine.read("sys/class/thermal/thermal_zone0/temp")); err == nil {
		temperature = fmt.Sprintf(", %d °C", (t+500)/1000)
		warm = t >= hot
	}
	bits, err := strconv.ParseUint(strings.TrimPrefix(d.machine.read("sys/devices/platform/soc/soc:firmware/get_throttled"), "0x"), 16, 32)
	if err != nil {
		return d.powerByAlarm(temperature, supply)
	}
	switch {
	case bits&underVoltage != 0:
		return diagnose(stateFailed, "the voltage is too low now%s", temperature).Advise(supply)
	case bits&(throttled|tooWarm) != 0 || warm:
		return diagnose(stateWarning, "the processor is slowed down because it is too warm%s", temperature).Advise("give the housing air; is it in the sun?")
	case bits&(underVoltage<<sinceStart) != 0:
		return diagnose(stateWarning, "the voltage was too low at times since the start%s", temperature).Advise(supply)
	case bits&((throttled|tooWarm)<<sinceStart) != 0:
		return diagnose(stateWarning, "the processor was slowed down at times since the start because it was too warm%s", temperature).Advise("give the housing air; is it in the sun?")
	}
	return diagnose(stateOK, "no low voltage, no throttling since the start%s", temperature)
}

// powerByAlarm uses the alarm of the kernel's own driver, which Debian's kernel has.
func (d *doctor) powerByAlarm(temperature, supply string) diagnosis {
	names, _ := filepath.Glob(d.machine.path("sys/class/hwmon/hwmon*/name")) // the pattern is valid
	for _, name := range names {
		if text, err := os.ReadFile(name); err != nil || strings.TrimSpace(string(text)) != "rpi_volt" {
			continue
		}
		alarm, err := os.ReadFile(filepath.Join(filepath.Dir(name), "in0_lcrit_alarm"))
		switch {
		case err != nil:
		case strings.TrimSpace(string(alarm)) == "0":
			return diagnose(stateOK, "no low voltage since the last look%s", temperature)
		default:
			return diagnose(stateWarning, "the voltage was too low since the last look%s", temperature).Advise("%s", supply)
		}
	}
	return diagnose(stateUnknown, "this machine does not measure its supply%s", temperature)
}

// mounted is a mounted file system.
type mounted struct {
	device, folder, kind string
	readOnly             bool
}

// mountOf returns the file system that holds a path, from the kernel's table (proc(5)).
func (d *doctor) mountOf(path string) (best mounted, known bool) {
	for line := range strings.Lines(d.machine.read("proc/self/mounts") + "\n") {
		fields := strings.Fields(line)
		if len(fields) < 4 {
			continue
		}
		folder := fields[1]
		inside := folder == "/" || path == folder || strings.HasPrefix(path, folder+"/")
		if inside && len(folder) >= len(best.folder) {
			options := "," + fields[3] + ","
			best, known = mounted{fields[0], folder, fields[2], strings.Contains(options, ",ro,")}, true
		}
	}
	return best, known
}

// stateFolder returns the folder of the outbox, also if the configuration cannot be read.
func (d *doctor) stateFolder() string {
	c, err := d.load()
	if err != nil {
		return filepath.Dir(defaultSocket)
	}
	if to, err := filepath.EvalSymlinks(c.State); err == nil {
		return to
	}
	return c.State
}

// storage looks at the health of the disk with the outbox. SD cards do not tell how worn
// they are; eMMC does. Errors that the file system has met tell about both.
func (d *doctor) storage(context.Context) diagnosis {
	const replace = "save the events first (kioskctl events export), then replace the SD card"
	m, known := d.mountOf(d.stateFolder())
	if !known {
		return diagnose(stateUnknown, "this machine does not say where %s is", d.stateFolder())
	}
	name := filepath.Base(m.device)
	about := fmt.Sprintf("%s (%s)", m.device, m.kind)
	if m.readOnly {
		return diagnose(stateFailed, "%s has become read-only: the kernel does that after an error", about).Advise(replace)
	}
	if met := d.machine.read(filepath.Join("sys/fs/ext4", name, "errors_count")); met != "" && met != "0" {
		return diagnose(stateFailed, "%s has met %s errors", about, met).Advise(replace)
	}
	device := filepath.Join("sys/block", diskOf(name), "device")
	if model := d.machine.read(filepath.Join(device, "name")); model != "" {
		about += fmt.Sprintf(", %s made %s", model, orUnknown(d.machine.read(filepath.Join(device, "date"))))
	}
	if kilobytes, err := strconv.ParseUint(d.machine.read(filepath.Join("sys/fs/ext4", name, "lifetime_write_kbytes")), 10, 64); err == nil {
		about += fmt.Sprintf(", %.1f GB written", float64(kilobytes)/1e6)
	}
	if d.machine.read(filepath.Join(device, "pre_eol_info")) == "0x03" {
		return diagnose(stateFailed, "%s is worn out: its spare blocks are used up", about).Advise(replace)
	}
	worn := 0 // tenths of its life, the worse of both kinds of cells (JEDEC JESD84-B51, 7.4.33)
	for word := range strings.FieldsSeq(d.machine.read(filepath.Join(device, "life_time"))) {
		if n, err := strconv.ParseUint(strings.TrimPrefix(word, "0x"), 16, 8); err == nil {
			worn = max(worn, int(n))
		}
	}
	switch {
	case worn >= 0x0b:
		return diagnose(stateFailed, "%s is worn out", about).Advise(replace)
	case worn >= 0x09:
		return diagnose(stateWarning, "%s has used %d0 %% of its life", about, worn).Advise("replace the disk soon")
	}
	return diagnose(stateOK, "%s", about)
}

// diskOf returns the disk of a partition: mmcblk0 of mmcblk0p2, sda of sda1.
func diskOf(partition string) string {
	disk := strings.TrimRight(partition, "0123456789")
	if strings.HasPrefix(partition, "mmcblk") || strings.HasPrefix(partition, "nvme") {
		if before, isPart := strings.CutSuffix(disk, "p"); isPart {
			return before
		}
		return partition
	}
	return disk
}

// Limits of free space, in bytes. Below leastSpace the outbox may be unable to grow.
const (
	leastSpace = 64 << 20
	fewSpace   = 512 << 20
)

func (d *doctor) space(context.Context) diagnosis {
	const clean = "delete what does not belong on a kiosk: sudo apt-get clean, sudo journalctl --vacuum-size=20M"
	folder := d.stateFolder()
	free, size, err := d.disk(folder)
	for errors.Is(err, fs.ErrNotExist) && folder != "/" { // kioskd makes the folder when it starts
		folder = filepath.Dir(folder)
		free, size, err = d.disk(folder)
	}
	if err != nil {
		return diagnose(stateUnknown, "%v", err)
	}
	about := fmt.Sprintf("%d MB of %d MB are free", free>>20, size>>20)
	switch {
	case free < leastSpace:
		return diagnose(stateFailed, "%s: the outbox cannot grow", about).Advise(clean)
	case free < fewSpace:
		return diagnose(stateWarning, "%s", about).Advise(clean)
	}
	return diagnose(stateOK, "%s", about)
}

func (d *doctor) clock(ctx context.Context) diagnosis {
	now := d.machine.now()
	shown := now.UTC().Format("2006-01-02 15:04:05Z")
	const set = "is a time server reachable? timedatectl shows it; the kiosk learns the time from its hub too"
	if s, err := d.askedClock(ctx); err == nil && s.Behind {
		return diagnose(stateFailed, "%s is behind the time that the kiosk remembers, %s", shown, s.Remembered.Format(time.RFC3339)).Advise("%s; kioskctl clock --set corrects what the kiosk remembers", set)
	}
	if d.credentials != nil {
		if leaf := d.credentials.TLS.Certificates[0].Leaf; now.Before(leaf.NotBefore) {
			return diagnose(stateFailed, "%s is before the kiosk's certificate was made, %s", shown, leaf.NotBefore.UTC().Format(time.RFC3339)).Advise("%s", set)
		}
	}
	if !d.synchronised() {
		return diagnose(stateWarning, "%s; no time server confirms it", shown).Advise("%s", set)
	}
	return diagnose(stateOK, "%s, kept by a time server", shown)
}
