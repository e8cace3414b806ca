//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"smartkiosk/deploy/bench/machine/scenario"
)

// bench says what the scenarios are played with.
type bench struct {
	programs, boards string // folders
	report           string // folder, which is made again
	only             string // name of a build; "" for all
}

// Names of folders that the machine has in /bench.
const (
	programsName  = "programs"
	boardsName    = "boards"
	ownBoardsName = "own-boards"
	pkiName       = "pki"
	hubName       = "hub"
	reportName    = "report"
)

// ownBoards is the folder of the bench's own board files.
const ownBoards = "deploy/bench/machine/boards"

// run plays each build in a machine of its own, as many at a time as there are
// processors, and joins their reports.
func (b bench) run(ctx context.Context, m machine) error {
	began := time.Now()
	if err := os.RemoveAll(b.report); err != nil {
		return err
	}
	if err := os.MkdirAll(b.report, 0o755); err != nil {
		return err
	}
	names := scenario.Names(b.set(m))
	if b.only != "" {
		names = []string{b.only}
	}
	site, err := b.site(ctx)
	if err != nil {
		return err
	}
	info, err := os.Stat(site)
	if err != nil {
		return err
	}
	m.begins = info.ModTime().Add(time.Minute)
	pki, hub := filepath.Join(site, pkiName), filepath.Join(site, hubName)
	folders := map[string]string{programsName: b.programs, boardsName: b.boards, ownBoardsName: ownBoards, pkiName: pki, hubName: hub}
	for name, folder := range folders {
		if folders[name], err = filepath.Abs(folder); err != nil {
			return err
		}
	}
	var args []string
	if m.realTime {
		cost, err := scenario.WakeCost(2 * time.Second)
		if err != nil {
			return err
		}
		args = append(args, cost.String())
	}
	errs := make([]error, len(names))
	processors := make(chan int, runtime.NumCPU())
	for i := range cap(processors) {
		processors <- i
	}
	var machines sync.WaitGroup
	for i, name := range names {
		m := m
		m.processor = <-processors
		machines.Go(func() {
			errs[i] = b.play(ctx, m, folders, append([]string{playerName, name}, args...))
			processors <- m.processor
		})
	}
	machines.Wait()
	path, err := b.joinReports(names)
	if err := errors.Join(append(errs, err)...); err != nil {
		return fmt.Errorf("%w\nthe report is in %s", err, path)
	}
	fmt.Printf("every scenario passed, in %.0f s; the report is %s, with pictures next to it\n", time.Since(began).Seconds(), path)
	return nil
}

// set returns the set of builds that run plays.
func (b bench) set(m machine) scenario.Set {
	if m.realTime {
		return scenario.RealTime
	}
	return scenario.All
}

// site returns the folder of a test PKI and of a hub, which each machine gets a
// copy of. Making it takes seconds of processor time, and its keys are random. So
// site makes it once a day for each version of the programs, and keeps it in the
// cache: runs of the same programs with the same seed are then the same.
func (b bench) site(ctx context.Context) (folder string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "smartkiosk", "bench")
	version := sha256.New()
	for _, program := range []string{filepath.Join(b.programs, "smartkortsim"), filepath.Join(b.programs, "kioskhub"), "/proc/self/exe"} {
		text, err := os.ReadFile(program)
		if err != nil {
			return "", err
		}
		version.Write(text)
	}
	var kiosks []string
	for _, set := range []scenario.Set{scenario.All, scenario.RealTime} {
		kiosks = append(kiosks, scenario.Names(set)...)
	}
	fmt.Fprint(version, kiosks, time.Now().UTC().Format(time.DateOnly))
	folder = filepath.Join(cache, fmt.Sprintf("site-%x", version.Sum(nil)[:4]))
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	earlier, err := filepath.Glob(filepath.Join(cache, "site-*"))
	if err != nil {
		return "", err
	}
	for _, site := range earlier {
		if info, err := os.Stat(site); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
			if err := os.RemoveAll(site); err != nil {
				return "", err
			}
		}
	}
	made, err := os.MkdirTemp(cache, "build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(made)
	if err := b.makeHub(ctx, filepath.Join(made, pkiName), filepath.Join(made, hubName), kiosks); err != nil {
		return "", err
	}
	if err := os.Rename(made, folder); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return folder, nil
}

// makeHub makes a test PKI and the folder of a hub with one consumer and one
// kiosk for each build.
func (b bench) makeHub(ctx context.Context, pki, hub string, kiosks []string) error {
	commands := [][]string{
		{"smartkortsim", "pki", pki},
		{"kioskhub", "init", "--trust", pki, hub},
		{"kioskhub", "consumer", "add", "--dir", hub, scenario.Consumer},
	}
	for _, id := range kiosks {
		commands = append(commands, []string{"kioskhub", "kiosk", "add", "--test-key", "--dir", hub, id})
	}
	for _, c := range commands {
		if out, err := exec.CommandContext(ctx, filepath.Join(b.programs, c[0]), c[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("cannot make hub: %v: %w: %s", c, err, out)
		}
	}
	return letInKnown(filepath.Join(hub, "hub.toml"))
}

// letInKnown changes a hub's settings so that a kiosk that cannot reach the hub lets
// in people whom it knows.
func letInKnown(settings string) error {
	text, err := os.ReadFile(settings)
	if err != nil {
		return err
	}
	const never, known = `rule = "never"`, "rule = \"known\"\nknown_days = 30"
	changed := strings.Replace(string(text), never, known, 1)
	if changed == string(text) {
		return fmt.Errorf("%s has no line %s", settings, never)
	}
	return os.WriteFile(settings, []byte(changed), 0o600)
}

// play plays one build, and copies its report into the report's folder. The
// arguments are those of the player; the name of the build is the second.
func (b bench) play(ctx context.Context, m machine, folders map[string]string, args []string) error {
	name := args[1]
	shared, err := os.MkdirTemp("", "machine-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(shared)
	report := filepath.Join(shared, reportName)
	if err := os.Mkdir(report, 0o755); err != nil {
		return err
	}
	began := time.Now()
	code, err := m.boot(ctx, shared, task{Folders: folders, Path: "/bench/" + initName, Command: args}, os.Stdout)
	if err == nil && code != 0 {
		err = errors.New("a scenario failed")
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	fmt.Printf("%s: ended after %.1f s of the host's time\n", name, time.Since(began).Seconds())
	return errors.Join(err, os.CopyFS(b.report, os.DirFS(report)))
}

// joinReports joins the texts of all builds to one file.
func (b bench) joinReports(names []string) (path string, err error) {
	path = filepath.Join(b.report, "report.txt")
	var joined bytes.Buffer
	for _, name := range names {
		file := filepath.Join(b.report, name+".txt")
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) { // the machine died before it wrote one
			continue
		}
		if err := errors.Join(err, os.Remove(file)); err != nil {
			return path, err
		}
		joined.Write(text)
	}
	return path, os.WriteFile(path, joined.Bytes(), 0o644)
}
