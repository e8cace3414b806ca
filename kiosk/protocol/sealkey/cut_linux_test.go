package sealkey

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"smartkiosk/deploy/bench/powercut/cuts"
	"testing"
	"time"
)

// The points that the writer reports. After each number of rotations the newest key in the
// hub's file and in the kiosk's file was made a known number of seconds after noon.
const (
	pointHub   cuts.Point = "rotate"
	pointKiosk cuts.Point = "follow"

	rotations = 10
	kept      = 3 // keys that are kept; older ones are retired
)

// These environment variables turn the test binary into the writer.
const (
	writerName = "SMARTKIOSK_SEALKEY_WRITER" // "sync" or "no sync"
	folderName = "SMARTKIOSK_SEALKEY_FOLDER"
)

func TestMain(m *testing.M) {
	if manner := os.Getenv(writerName); manner != "" {
		if err := write(os.Getenv(folderName), manner); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	inside, code, err := cuts.OwnMounts()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if inside {
		code = m.Run()
	}
	os.Exit(code)
}

// write rotates a hub's keys. After each rotation a kiosk follows.
func write(folder, manner string) error {
	hub, kiosk := filepath.Join(folder, "hub.jwk"), filepath.Join(folder, "kiosk.jwk")
	marks, err := cuts.OpenMarks(folder)
	if err != nil {
		return err
	}
	if manner == "no sync" {
		if err := cuts.Deafen(); err != nil {
			return err
		}
	}
	do := func(p cuts.Point, number int, f func() error) error {
		m := cuts.Mark{Box: 1, Point: p, Number: uint64(number)}
		if err := marks.Mark(m); err != nil {
			return err
		}
		if err := f(); err != nil {
			return err
		}
		m.End = true
		return marks.Mark(m)
	}
	if err := do(pointHub, 0, func() error { return Init(hub, noon) }); err != nil {
		return err
	}
	newest := OpenNewest(kiosk, Key{}, slog.New(slog.DiscardHandler))
	for i := range rotations {
		err := do(pointHub, i+1, func() error {
			if _, err := Rotate(hub, noon); err != nil {
				return err
			}
			keys, err := ReadPrivate(hub)
			if err == nil && len(keys) > kept {
				err = Retire(hub, keys[kept].KeyID)
			}
			return err
		})
		if err != nil {
			return err
		}
		err = do(pointKiosk, i+1, func() error {
			keys, err := ReadPrivate(hub)
			if err == nil {
				_, err = newest.Offer(keys[0].Public())
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func record(t *testing.T, manner string) *cuts.Log {
	t.Helper()
	folder := t.TempDir()
	log, err := cuts.Record(folder, func() error {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), writerName+"="+manner, folderName+"="+folder)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		return cmd.Run()
	})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// promises holds for each point how many rotations were begun and done; -1 means none.
type promises map[cuts.Point]struct{ begun, done int }

// check compares what is on disk after a power cut with what the writer was promised.
func check(folder string, p promises) error {
	keys, err := ReadPrivate(filepath.Join(folder, "hub.jwk"))
	hub := p[pointHub]
	switch {
	case errors.Is(err, fs.ErrNotExist) && hub.done < 0:
	case err != nil:
		return err
	default:
		if got := int(keys[0].Made.Sub(noon) / time.Second); got < hub.done || got > hub.begun {
			return fmt.Errorf("the hub's newest key is %d, not %d to %d", got, hub.done, hub.begun)
		}
		for i, k := range keys {
			if want := keys[0].Made.Add(-time.Duration(i) * time.Second); !k.Made.Equal(want) {
				return fmt.Errorf("the hub's key %d is of %s, not %s", i+1, k.Made, want)
			}
		}
		if want := min(hub.done+1, kept); len(keys) < want {
			return fmt.Errorf("the hub has %d keys, not %d", len(keys), want)
		}
	}
	k, err := ReadPublic(filepath.Join(folder, "kiosk.jwk"))
	kiosk := p[pointKiosk]
	switch {
	case errors.Is(err, fs.ErrNotExist) && kiosk.done < 0:
	case err != nil:
		return err
	default:
		if got := int(k.Made.Sub(noon) / time.Second); got < kiosk.done || got > kiosk.begun {
			return fmt.Errorf("the kiosk's newest key is %d, not %d to %d", got, kiosk.done, kiosk.begun)
		}
	}
	return nil
}

// cutEverywhere cuts the power after each entry of a log, several times, and counts how
// often a promise was broken.
func cutEverywhere(t *testing.T, log *cuts.Log, seed uint64) (cuts, bad int, first error) {
	t.Helper()
	p := promises{pointHub: {-1, -1}, pointKiosk: {-1, -1}}
	for n, e := range log.Entries() {
		if m := e.Mark; m != nil {
			at := p[m.Point]
			if at.begun = int(m.Number); m.End {
				at.done = at.begun
			}
			p[m.Point] = at
		}
		for i := range 3 {
			random := rand.New(rand.NewPCG(seed, uint64(n*3+i)))
			cuts++
			if err := log.Cut(n+1, random, func(folder string) error { return check(folder, p) }); err != nil {
				if bad++; first == nil {
					first = fmt.Errorf("cut after entry %d: %w", n+1, err)
				}
			}
		}
	}
	if p[pointKiosk].done != rotations {
		t.Fatalf("the writer came to rotation %d", p[pointKiosk].done)
	}
	return cuts, bad, first
}

// TestPowerCut checks that a power cut at any time during a rotation leaves the hub and the
// kiosk with the keys that they were promised, and that without sync it does not.
func TestPowerCut(t *testing.T) {
	seed := rand.Uint64()
	cuts, bad, first := cutEverywhere(t, record(t, "sync"), seed)
	t.Logf("seed %d: %d cuts, %d bad", seed, cuts, bad)
	if bad > 0 {
		t.Errorf("seed %d: %d of %d cuts broke a promise; %v", seed, bad, cuts, first)
	}
	cuts, bad, _ = cutEverywhere(t, record(t, "no sync"), seed)
	t.Logf("seed %d: %d of %d cuts caught a writer that does not sync", seed, bad, cuts)
	if bad < cuts/3 {
		t.Errorf("seed %d: only %d of %d cuts caught a writer that does not sync", seed, bad, cuts)
	}
}
