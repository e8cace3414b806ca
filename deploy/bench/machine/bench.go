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
	"sync"
	"time"

	"smartkiosk/deploy/bench/machine/scenario"
)

// bench says what the scenarios are played with.
type bench struct {
	programs, boards string // folders
	report           string // folder, which is made again
	short            bool
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
	site, err := os.MkdirTemp("", "machine-site-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(site)
	pki, hub := filepath.Join(site, pkiName), filepath.Join(site, hubName)
	if err := b.makeHub(ctx, pki, hub, names); err != nil {
		return err
	}
	folders := map[string]string{programsName: b.programs, boardsName: b.boards, ownBoardsName: ownBoards, pkiName: pki, hubName: hub}
	for name, folder := range folders {
		if folders[name], err = filepath.Abs(folder); err != nil {
			return err
		}
	}
	if m.realTime {
		cost, err := scenario.WakeCost(2 * time.Second)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(pki, scenario.WakeCostName), []byte(cost.String()), 0o644); err != nil {
			return err
		}
	}
	errs := make([]error, len(names))
	free := make(chan struct{}, runtime.NumCPU())
	var machines sync.WaitGroup
	for i, name := range names {
		free <- struct{}{}
		machines.Go(func() {
			errs[i] = b.play(ctx, m, name, folders)
			<-free
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
	switch {
	case m.realTime:
		return scenario.RealTime
	case b.short:
		return scenario.Short
	}
	return scenario.All
}

// makeHub makes a test PKI and the folder of a hub with one consumer and one
// kiosk for each build. Each machine gets a copy of it.
func (b bench) makeHub(ctx context.Context, pki, hub string, kiosks []string) error {
	commands := [][]string{
		{"smartkortsim", "pki", pki},
		{"kioskhub", "init", "--trust", pki, hub},
		{"kioskhub", "consumer", "add", "--dir", hub, scenario.Consumer},
	}
	for _, id := range kiosks {
		commands = append(commands, []string{"kioskhub", "kiosk", "add", "--dir", hub, id})
	}
	for _, c := range commands {
		if out, err := exec.CommandContext(ctx, filepath.Join(b.programs, c[0]), c[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("cannot make hub: %v: %w: %s", c, err, out)
		}
	}
	return nil
}

// play plays one build, and copies its report into the report's folder.
func (b bench) play(ctx context.Context, m machine, name string, folders map[string]string) error {
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
	code, err := m.boot(ctx, shared, task{Folders: folders, Path: "/bench/" + initName, Command: []string{playerName, name}}, os.Stdout)
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
