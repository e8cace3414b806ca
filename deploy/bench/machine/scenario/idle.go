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
	// idlePercent is how much of a core an idle kioskd may cost, if the machine
	// were no slower than its host.
	idlePercent = 0.5
	// idleWakes is how often an idle kioskd may wake per second.
	idleWakes = 60
)

// idle counts how often kioskd and its guardian wake without a visit. It
// says nothing about processor time: in virtual time a processor is infinitely
// fast.
func idle(k *kiosk) {
	pids := append(k.guardians(), k.daemon.cmd.Process.Pid)
	before := k.used(pids)
	time.Sleep(idleFor)
	wakes := float64(k.used(pids).switches-before.switches) / idleFor.Seconds()
	k.report.line("technician", "watches kioskd and its guardian, idle for %.0f s: they wake %.0f times a second", idleFor.Seconds(), wakes)
	if wakes > idleWakes {
		k.must(fmt.Errorf("an idle kioskd wakes %.0f times a second, want at most %d", wakes, idleWakes))
	}
}

// idleCost measures the processor time of kioskd and its guardian
// without a visit, in real time. A call into the machine's kernel costs two switches
// between processes of the host, so that waiting and waking, which is all that an
// idle program does, costs far more than on the host. So idleCost measures the
// cost of one wait both inside and outside, and scales the result by the ratio.
func idleCost(k *kiosk) {
	pids := append(k.guardians(), k.daemon.cmd.Process.Pid)
	began, before := time.Now(), k.used(pids)
	inside, err := WakeCost(idleFor) // at the same time, because the host's load changes
	k.must(err)
	after, took := k.used(pids), time.Since(began).Seconds()
	outside := HostWakeCost

	percent := 100 * (after.time - before.time).Seconds() / took
	scaled := percent * float64(outside) / float64(inside)
	k.report.line("technician", "measures kioskd and its guardian, idle for %.0f s: %.2f %% of a core, waking %.0f times a second;\n"+
		"one wait costs %v here and %v on the host, where that would be %.2f %%",
		took, percent, float64(after.switches-before.switches)/took, inside.Round(time.Microsecond), outside.Round(time.Microsecond), scaled)
	if scaled > idlePercent {
		k.must(fmt.Errorf("an idle kioskd costs %.2f %% of a core, want at most %v %%", scaled, idlePercent))
	}
}

// HostWakeCost is the WakeCost of the host. The player sets it in real time.
var HostWakeCost time.Duration

// WakeCost measures the processor time that this program needs to wait and wake
// once, while it does nothing else. It takes d.
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

// usage is what processes have used.
type usage struct {
	time     time.Duration // of a processor
	switches int           // how often one of their threads began to wait
}

// used returns what processes have used (proc(5)).
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

// guardians returns the ids of kioskd's children.
func (k *kiosk) guardians() (pids []int) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	k.must(err)
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		k.must(err)
		fields, err := stat(pid)
		if err == nil && fields[1] == strconv.Itoa(k.daemon.cmd.Process.Pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// stat returns the fields of /proc/PID/stat after the name in parentheses. The
// first is the state.
func stat(pid int) ([]string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])), nil
}
