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

// bench is what the scenarios are played with.
type bench struct {
	programs, boards string // folders
	report           string // where it is left
	short            bool
	only             string // "" for all
}

// Names of folders that the machine has in /bench.
const (
	programsName  = "programs"
	boardsName    = "boards"
	ownBoardsName = "own-boards"
	pkiName       = "pki"
	reportName    = "report"
)

// ownBoards is the folder of the bench's own board files.
const ownBoards = "deploy/bench/machine/boards"

// atOnce is how many machines there may be for each processor. They mostly wait.
const atOnce = 4

// run plays each build in a machine of its own, and leaves one report of all.
func (b bench) run(ctx context.Context, m machine) error {
	began := time.Now()
	if err := os.RemoveAll(b.report); err != nil {
		return err
	}
	if err := os.MkdirAll(b.report, 0o755); err != nil {
		return err
	}
	pki, err := os.MkdirTemp("", "machine-pki-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(pki)
	if out, err := exec.CommandContext(ctx, filepath.Join(b.programs, "smartkortsim"), "pki", filepath.Join(pki, pkiName)).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot make test PKI: %w: %s", err, out)
	}
	folders := map[string]string{programsName: b.programs, boardsName: b.boards, ownBoardsName: ownBoards, pkiName: filepath.Join(pki, pkiName)}
	for name, folder := range folders {
		if folders[name], err = filepath.Abs(folder); err != nil {
			return err
		}
	}
	names := scenario.Names(b.short)
	if b.only != "" {
		names = []string{b.only}
	}
	errs := make([]error, len(names))
	free := make(chan struct{}, atOnce*runtime.NumCPU())
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() {
			free <- struct{}{}
			errs[i] = b.play(ctx, m, name, folders)
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
func (b bench) play(ctx context.Context, m machine, name string, folders map[string]string) error {
	shared, err := os.MkdirTemp("", "machine-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(shared)
	cost, err := wakeCost()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(shared, scenario.WakeCostName), []byte(cost.String()), 0o644); err != nil {
		return err
	}
	report := filepath.Join(shared, reportName)
	if err := os.Mkdir(report, 0o755); err != nil {
		return err
	}
	code, err := m.boot(ctx, shared, task{Folders: folders, Path: "/bench/" + initName, Command: []string{playerName, name}}, os.Stdout)
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

// wakeCost is measured once, before any machine runs.
var wakeCost = sync.OnceValues(func() (time.Duration, error) { return scenario.WakeCost(2 * time.Second) })
