//go:build linux

package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// idleFor is how long an idle kioskd is watched, and then the machine without
// it.
const idleFor = 10 * time.Second

// idle is a kiosk before which there is nobody. What it costs is what the host
// spends on the machine, less what it spends while kioskd is stopped. In the
// machine each call into the kernel is two switches between processes of the
// host; so what waiting and waking costs is measured inside and outside, and
// what kioskd costs is also told at the outside's rate.
func idle(k *kiosk) {
	pids := append(k.guardians(), k.daemon.cmd.Process.Pid)
	running := k.costs(idleFor)
	for _, pid := range pids {
		k.must(syscall.Kill(pid, syscall.SIGSTOP))
	}
	stopped := k.costs(idleFor / 2) // the watchdog waits for longer
	began, used := time.Now(), k.hostTime()
	wakes := Wake()
	inside := (k.hostTime() - used - time.Duration(stopped.percent/100*float64(time.Since(began)))) / time.Duration(wakes)
	for _, pid := range pids {
		k.must(syscall.Kill(pid, syscall.SIGCONT))
	}
	text, err := os.ReadFile("/bench/" + WakeCost)
	k.must(err)
	nanoseconds, err := strconv.Atoi(strings.TrimSpace(string(text)))
	k.must(err)
	outside := time.Duration(nanoseconds)

	percent := running.percent - stopped.percent
	k.report.line("technician", "measures kioskd and its guardian, idle for %v: %.2f %% of a core, waking %.0f times a second;\n"+
		"to wait and wake costs %v here and %v outside, where that were %.2f %%",
		idleFor, percent, running.switches, inside.Round(time.Microsecond), outside.Round(time.Microsecond), percent*float64(outside)/float64(inside))
}

// WakeCost is the file by which the host tells what it costs to wait and wake,
// in nanoseconds.
const WakeCost = "wake-cost"

// Wake waits and wakes, as a kiosk does that nobody uses, and tells how often.
func Wake() int {
	const times = 1000
	for range times {
		time.Sleep(2 * time.Millisecond)
	}
	return times
}

// cost is what was used in a second.
type cost struct {
	percent  float64 // of one processor of the host, by the whole machine
	switches float64 // how often a thread of kioskd or its guardian began to wait
}

// costs measures for some time.
func (k *kiosk) costs(d time.Duration) cost {
	time.Sleep(time.Second) // what went before is over
	pids := append(k.guardians(), k.daemon.cmd.Process.Pid)
	began, used, switches := time.Now(), k.hostTime(), k.switches(pids)
	time.Sleep(d)
	took := time.Since(began).Seconds()
	return cost{100 * (k.hostTime() - used).Seconds() / took, float64(k.switches(pids)-switches) / took}
}

// HostTimeAsked and HostTimeTold are how the machine asks its host how much
// processor time it has used, by a line that it prints, and where it is told,
// in nanoseconds.
const (
	HostTimeAsked = "@host-time"
	HostTimeTold  = "host-time"
)

func (k *kiosk) hostTime() time.Duration {
	const path = "/bench/" + HostTimeTold
	fmt.Println(HostTimeAsked)
	for limit := time.Now().Add(patience); time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		text, err := os.ReadFile(path)
		if err != nil || !strings.HasSuffix(string(text), "\n") {
			continue
		}
		k.must(os.Remove(path))
		n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		k.must(err)
		return time.Duration(n)
	}
	k.must(fmt.Errorf("the host does not tell what the machine has used"))
	return 0
}

// guardians finds the children of kioskd.
func (k *kiosk) guardians() []int {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	k.must(err)
	var pids []int
	for _, path := range paths {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// proc(5): after the name in parentheses come state and parent.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if fields[1] == strconv.Itoa(k.daemon.cmd.Process.Pid) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			k.must(err)
			pids = append(pids, pid)
		}
	}
	return pids
}

// switches is how often threads of some processes began to wait.
func (k *kiosk) switches(pids []int) (total int) {
	for _, pid := range pids {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
		k.must(err)
		for _, thread := range threads {
			status, err := os.ReadFile(thread)
			if err != nil {
				continue // it has ended
			}
			_, after, _ := strings.Cut(string(status), "\nvoluntary_ctxt_switches:")
			var n int
			_, err = fmt.Sscan(after, &n)
			k.must(err)
			total += n
		}
	}
	return total
}
