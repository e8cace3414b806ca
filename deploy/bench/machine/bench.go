//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"smartkiosk/deploy/bench/machine/scenario"
)

// bench is what the scenarios are played with.
type bench struct {
	programs, boards string // folders
	report           string // where it is left
	short            bool
	only             string // "" for all
}

// Names in the folder that is shared with the machine.
const (
	programsName  = "programs"
	boardsName    = "boards"
	ownBoardsName = "own-boards"
	pkiName       = "pki"
	reportName    = "report"
)

// ownBoards is the folder of the bench's own board files.
const ownBoards = "deploy/bench/machine/boards"

// run plays each build in a machine of its own, two at a time for each
// processor, as they mostly wait, and leaves one report of all.
func (b bench) run(ctx context.Context, m machine) error {
	began := time.Now()
	if err := os.RemoveAll(b.report); err != nil {
		return err
	}
	if err := os.MkdirAll(b.report, 0o755); err != nil {
		return err
	}
	names := scenario.Names(b.short)
	if b.only != "" {
		names = []string{b.only}
	}
	errs := make([]error, len(names))
	free := make(chan struct{}, 2*runtime.NumCPU())
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() {
			free <- struct{}{}
			errs[i] = b.play(ctx, m, name)
			<-free
		})
	}
	all.Wait()
	path, err := b.join(names)
	if err := errors.Join(append(errs, err)...); err != nil {
		return fmt.Errorf("%w\nthe report is in %s", err, path)
	}
	fmt.Printf("all as it should be, in %.0f s; the report is %s, with pictures beside it\n", time.Since(began).Seconds(), path)
	return nil
}

// play plays one build, and puts what it reports into the report's folder.
func (b bench) play(ctx context.Context, m machine, name string) error {
	shared, err := os.MkdirTemp("", "machine-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(shared)
	for from, to := range map[string]string{b.programs: programsName, b.boards: boardsName, ownBoards: ownBoardsName} {
		if err := os.CopyFS(filepath.Join(shared, to), os.DirFS(from)); err != nil {
			return err
		}
	}
	pki := exec.CommandContext(ctx, filepath.Join(b.programs, "smartkortsim"), "pki", filepath.Join(shared, pkiName))
	if out, err := pki.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot make test PKI: %w: %s", err, out)
	}
	if err := tellWakeCost(filepath.Join(shared, scenario.WakeCost)); err != nil {
		return err
	}
	report := filepath.Join(shared, reportName)
	if err := os.Mkdir(report, 0o755); err != nil {
		return err
	}
	code, err := m.boot(ctx, shared, task{Path: "/bench/" + initName, Command: []string{playerName, name}}, func(group int, line string) {
		if line != scenario.HostTimeAsked {
			fmt.Println(line)
		} else if err := tellTime(filepath.Join(shared, scenario.HostTimeTold), group); err != nil {
			fmt.Println("cannot tell the machine's time:", err)
		}
	})
	if err == nil && code != 0 {
		err = errors.New("not all was as it should be")
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return errors.Join(err, os.CopyFS(b.report, os.DirFS(report)))
}

// join makes one text of those of all builds.
func (b bench) join(names []string) (path string, err error) {
	path = filepath.Join(b.report, "report.txt")
	var all bytes.Buffer
	for _, name := range names {
		part := filepath.Join(b.report, name+".txt")
		text, err := os.ReadFile(part)
		if errors.Is(err, os.ErrNotExist) { // its machine died before
			continue
		}
		if err := errors.Join(err, os.Remove(part)); err != nil {
			return path, err
		}
		all.Write(text)
	}
	return path, os.WriteFile(path, all.Bytes(), 0o644)
}

// tellTime writes down how much processor time the processes of a group have
// used, in nanoseconds (proc(5), /proc/pid/stat).
func tellTime(path string, group int) error {
	processes, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return err
	}
	var ticks int64
	for _, process := range processes {
		stat, err := os.ReadFile(process)
		if err != nil {
			continue // it has ended
		}
		// After the name in parentheses come state, parent and group.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if fields[2] != strconv.Itoa(group) {
			continue
		}
		for _, field := range fields[11:13] { // utime, stime
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return err
			}
			ticks += n
		}
	}
	const tick = int64(time.Second / 100)
	return os.WriteFile(path, fmt.Appendln(nil, ticks*tick), 0o644)
}

// wakeCost is measured once, before any machine runs.
var wakeCost = sync.OnceValues(func() (time.Duration, error) {
	used := func() (time.Duration, error) {
		var u unix.Rusage
		err := unix.Getrusage(unix.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
	}
	before, err := used()
	if err != nil {
		return 0, err
	}
	times := scenario.Wake()
	after, err := used()
	return (after - before) / time.Duration(times), err
})

// tellWakeCost writes down what it costs this machine to wait and wake, in
// nanoseconds.
func tellWakeCost(path string) error {
	cost, err := wakeCost()
	if err != nil {
		return err
	}
	return os.WriteFile(path, fmt.Appendln(nil, cost.Nanoseconds()), 0o644)
}
