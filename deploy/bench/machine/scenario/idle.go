//go:build linux

package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// idleFor is how long an idle kioskd is watched.
	idleFor = 10 * time.Second
	// idlePercent is how much of a core it may cost, were this machine no
	// slower than its host.
	idlePercent = 0.5
)

// idle is a kiosk before which there is nobody. In the machine each call into
// the kernel is two switches between processes of the host. So what it costs to
// wait and to wake, of which being idle consists, is measured inside and
// outside, and what kioskd costs is also told at the outside's rate.
func idle(k *kiosk) {
	pids := append(k.guardians(), k.daemon.cmd.Process.Pid)
	began, before := time.Now(), k.used(pids)
	inside, err := WakeCost(idleFor) // beside it, as the host may be busier now than then
	k.must(err)
	after, took := k.used(pids), time.Since(began).Seconds()
	text, err := os.ReadFile("/bench/" + WakeCostName)
	k.must(err)
	outside, err := time.ParseDuration(string(text))
	k.must(err)

	percent := 100 * (after.time - before.time).Seconds() / took
	rated := percent * float64(outside) / float64(inside)
	k.report.line("technician", "measures kioskd and its guardian, idle for %.0f s: %.2f %% of a core, waking %.0f times a second;\n"+
		"to wait and wake costs %v here and %v on the host, where that were %.2f %%",
		took, percent, float64(after.switches-before.switches)/took, inside.Round(time.Microsecond), outside.Round(time.Microsecond), rated)
	if rated > idlePercent {
		k.must(fmt.Errorf("an idle kioskd costs more than %v %% of a core", idlePercent))
	}
}

// WakeCostName is the file by which the host tells its WakeCost.
const WakeCostName = "wake-cost"

// WakeCost measures what it costs this program to wait and wake, in time of a
// processor, while it does nothing else. It takes d.
func WakeCost(d time.Duration) (time.Duration, error) {
	used := func() (time.Duration, error) {
		var u unix.Rusage
		err := unix.Getrusage(unix.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
	}
	before, err := used()
	if err != nil {
		return 0, err
	}
	const times = 1000
	for range times {
		time.Sleep(d / times)
	}
	after, err := used()
	return (after - before) / times, err
}

// usage is what programs have used.
type usage struct {
	time     time.Duration // of a processor
	switches int           // how often one of their threads began to wait
}

// used tells what some processes have used (proc(5)).
func (k *kiosk) used(pids []int) (all usage) {
	for _, pid := range pids {
		fields, err := stat(pid)
		k.must(err)
		for _, ticks := range fields[11:13] { // utime, stime
			n, err := strconv.Atoi(ticks)
			k.must(err)
			all.time += time.Duration(n) * time.Second / 100
		}
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
		k.must(err)
		for _, thread := range threads {
			status, err := os.ReadFile(thread)
			k.must(err)
			_, after, _ := strings.Cut(string(status), "\nvoluntary_ctxt_switches:")
			var n int
			_, err = fmt.Sscan(after, &n)
			k.must(err)
			all.switches += n
		}
	}
	return all
}

// guardians finds the children of kioskd.
func (k *kiosk) guardians() (pids []int) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	k.must(err)
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		k.must(err)
		fields, err := stat(pid)
		if err == nil && fields[1] == strconv.Itoa(k.daemon.cmd.Process.Pid) { // else it has ended, or has another parent
			pids = append(pids, pid)
		}
	}
	return pids
}

// stat reads /proc/PID/stat from the state on, which comes after the name in
// parentheses.
func stat(pid int) ([]string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])), nil
}
