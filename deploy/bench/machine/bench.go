//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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
	hubName       = "hub"
	reportName    = "report"
)

// ownBoards is the folder of the bench's own board files.
const ownBoards = "deploy/bench/machine/boards"

// atOnce is how many machines there may be for each processor. They mostly wait;
// but until it says that its scenarios begin one has much to do, so that no more
// start at a time than there are processors.
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
	names := scenario.Names(b.short)
	if b.only != "" {
		names = []string{b.only}
	}
	made, err := os.MkdirTemp("", "machine-site-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(made)
	go wakeCost() // takes as long
	pki, hub := filepath.Join(made, pkiName), filepath.Join(made, hubName)
	if err := b.makeHub(ctx, pki, hub, names); err != nil {
		return err
	}
	folders := map[string]string{programsName: b.programs, boardsName: b.boards, ownBoardsName: ownBoards, pkiName: pki, hubName: hub}
	for name, folder := range folders {
		if folders[name], err = filepath.Abs(folder); err != nil {
			return err
		}
	}
	errs := make([]error, len(names))
	free, starting := make(chan struct{}, atOnce*runtime.NumCPU()), make(chan struct{}, runtime.NumCPU())
	var all sync.WaitGroup
	for i, name := range names {
		free <- struct{}{}
		starting <- struct{}{}
		started := sync.OnceFunc(func() { <-starting })
		all.Go(func() {
			errs[i] = b.play(ctx, m, name, folders, &lookout{os.Stdout, started})
			started()
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

// makeHub makes a test PKI and the folder of a hub, which each machine gets a
// copy of, with a consumer and a kiosk for each build: it takes a machine
// seconds.
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

// play plays one build, and puts what it reports into the report's folder.
func (b bench) play(ctx context.Context, m machine, name string, folders map[string]string, output io.Writer) error {
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
	code, err := m.boot(ctx, shared, task{Folders: folders, Path: "/bench/" + initName, Command: []string{playerName, name}}, output)
	if err == nil && code != 0 {
		err = errors.New("not all was as it should be")
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return errors.Join(err, os.CopyFS(b.report, os.DirFS(report)))
}

// lookout passes on what a machine says, and tells that it says something.
type lookout struct {
	to   io.Writer
	tell func()
}

func (l *lookout) Write(b []byte) (int, error) {
	l.tell()
	return l.to.Write(b)
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
