package cuts

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"smartkiosk/kiosk/protocol/sealkey/sealtest"
)

var (
	seedFlag = flag.Uint64("seed", 0, "seed of the writer and of the cuts, 0 for a new one")
	logFlag  = flag.String("log", "", "replay the cuts on this recording")
	onlyFlag = flag.Int("only", 0, "make only this one of the cuts")
)

const cutsInTest = 50

// An environment variable makes the test binary the writer.
const (
	writerName = "SMARTKIOSK_POWERCUT_WRITER" // "sync", "no sync" or one of faultyWork
	folderName = "SMARTKIOSK_POWERCUT_FOLDER"
	seedName   = "SMARTKIOSK_POWERCUT_SEED"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(writerName); name != "" {
		be := beWriter
		if work := faultyWork[name]; work != nil {
			be = func() error { return work(os.Getenv(folderName)) }
		}
		if err := be(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	inside, code, err := OwnMounts()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if inside {
		code = m.Run()
	}
	os.Exit(code)
}

func beWriter() error {
	folder := os.Getenv(folderName)
	seed, err := strconv.ParseUint(os.Getenv(seedName), 10, 64)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "powercut-old-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	old, err := ReadOld("../../../../store/testdata/format*.db", scratch)
	if err != nil {
		return err
	}
	marks, err := OpenMarks(folder)
	if err != nil {
		return err
	}
	if os.Getenv(writerName) == "no sync" {
		if err := Deafen(); err != nil {
			return err
		}
	}
	w := Writer{Folder: folder, Seed: seed, Old: old, Keys: openKeys, Mark: marks.Mark}
	return w.Write(350)
}

func openKeys(seed uint64, path string) (Keys, error) { return sealtest.Open(seed, path) }

// record runs a writer on a Folder.
func record(t *testing.T, manner string, seed uint64) *Log {
	t.Helper()
	folder := t.TempDir()
	log, err := Record(folder, func() error { return runWriter(folder, manner, seed) })
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// runWriter runs a writer until it ends.
func runWriter(folder, manner string, seed uint64) error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), writerName+"="+manner, folderName+"="+folder, fmt.Sprintf("%s=%d", seedName, seed))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

func oldOutboxes(t *testing.T) []Old {
	t.Helper()
	old, err := ReadOld("../../../../store/testdata/format*.db", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return old
}

// TestPowerCut cuts the power of an outbox's writer. It keeps the log of a failure for
// a replay.
func TestPowerCut(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	var log *Log
	var err error
	if *logFlag == "" {
		log = record(t, "sync", seed)
	} else if log, err = LoadLog(*logFlag); err != nil {
		t.Fatal(err)
	}
	checker := Checker{Seed: seed, Old: oldOutboxes(t), Keys: openKeys}
	report, err := Try(log, Options{Seed: seed, Cuts: cutsInTest, Only: *onlyFlag}, checker.Check)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("seed %d: %d cuts of %d entries, during: %s; %d records promised", seed, report.Cuts, len(log.Entries()), report.During(), report.Promised)
	if missed := report.Missed(); *onlyFlag == 0 && len(missed) > 0 {
		t.Errorf("the power was never cut during %v", missed)
	}
	if len(report.Bad) == 0 {
		return
	}
	kept := filepath.Join(os.TempDir(), fmt.Sprintf("powercut-%d.log", seed))
	if err := log.Save(kept); err != nil {
		t.Error(err)
	}
	for _, bad := range report.Bad {
		t.Errorf("cut %d, during %s: %v; replay: go test ./deploy/bench/powercut/cuts -run TestPowerCut -args -log %s -seed %d -only %d",
			bad.Cut, bad.At, bad.Err, kept, seed, bad.Cut)
	}
}

// TestControl: cuts must break promises of the same writer without sync.
func TestControl(t *testing.T) {
	seed := rand.Uint64()
	log := record(t, "no sync", seed)
	report, err := Try(log, Options{Seed: seed, Cuts: cutsInTest}, Checker{Seed: seed, Old: oldOutboxes(t), Keys: openKeys}.Check)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("seed %d: %d of %d cuts caught", seed, len(report.Bad), report.Cuts)
	if len(report.Bad) < report.Cuts/3 {
		t.Errorf("seed %d: only %d of %d cuts caught a writer that does not sync", seed, len(report.Bad), report.Cuts)
	}
}

// TestNothingPromised: Try fails on a disk on which nothing works.
func TestNothingPromised(t *testing.T) {
	log := &Log{}
	log.add(operation{Mark: &Mark{Box: 1, Point: Create}})
	_, err := Try(log, Options{Cuts: 10}, Checker{}.Check)
	if !errors.Is(err, ErrNothingPromised) {
		t.Errorf("%v, want %v", err, ErrNothingPromised)
	}
}
