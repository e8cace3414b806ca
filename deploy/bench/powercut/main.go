//go:build linux

// Powercut count the power of an outbox's writer, on a real file system and a
// real kernel's block layer: see deploy/bench/powercut/count. The writer works in a
// user-mode Linux, on a disk that keeps a log; the disk is made anew from the
// log, mounted and checked on this machine, for which it must be root.
//
//	powercut -kernel FILE -count N [-seed N] [-work FOLDER]
//	powercut -replay FOLDER -seed N -cut N
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"smartkiosk/deploy/bench/powercut/cuts"
	"smartkiosk/kiosk/protocol/sealkey/sealtest"
)

const (
	cutsOfRecording = 125
	cutsOfControl   = 50
	records         = 600 // of a recording
	oldOutboxes     = "store/testdata/format*.db"
)

func main() {
	if os.Getpid() == 1 {
		guest(os.Args[1:])
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "powercut mounts disks, for which it must be root")
		os.Exit(1)
	}
	inside, code, err := cuts.OwnMounts()
	if inside {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		err = run(ctx)
		stop()
		code = 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// openKeys gives a hub's sealing keys, and a kiosk that follows them.
func openKeys(seed uint64, path string) (cuts.Keys, error) { return sealtest.Open(seed, path) }

func run(ctx context.Context) error {
	kernel := flag.String("kernel", "", "user-mode Linux, as kernel.sh builds it")
	count := flag.Int("cuts", 1000, "how often the power is cut")
	seed := flag.Uint64("seed", 0, "what the writer and the count follow from, 0 for a new one")
	work := flag.String("work", os.TempDir(), "where recordings are made, and kept when a cut shows something")
	replay := flag.String("replay", "", "a recording that was kept, instead of a new one")
	only := flag.Int("cut", 0, "make only this one of its cuts")
	flag.Parse()

	if *seed == 0 {
		*seed = rand.Uint64N(1 << 32)
	}
	scratch, err := os.MkdirTemp("", "powercut-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	b := bench{kernel: *kernel, work: *work}
	if b.old, err = cuts.ReadOld(oldOutboxes, scratch); err != nil {
		return err
	}
	if *replay != "" {
		report, err := b.try(ctx, *replay, cuts.Options{Seed: *seed, Cuts: cutsOfRecording, Only: *only})
		return b.judge(report, err, *replay, *seed)
	}
	return b.run(ctx, *seed, *count)
}

// bench makes recordings and count.
type bench struct {
	kernel, work string
	old          []cuts.Old
}

// run makes the count, on several recordings at once as a cut mostly waits for
// the kernel, and then the control: the same writer without sync.
func (b bench) run(ctx context.Context, seed uint64, count int) error {
	fmt.Printf("%d count, seed %d\n", count, seed)
	start := time.Now()
	recordings := (count + cutsOfRecording - 1) / cutsOfRecording
	slots := make(chan struct{}, 2*runtime.NumCPU())
	reports, errs := make([]cuts.Report, recordings), make([]error, recordings)
	var all sync.WaitGroup
	for i := range recordings {
		slots <- struct{}{}
		all.Go(func() {
			n := min(cutsOfRecording, count-i*cutsOfRecording)
			reports[i], errs[i] = b.cutNew(ctx, seed+uint64(i), n)
			<-slots
		})
	}
	all.Wait()
	took := time.Since(start)
	var total cuts.Report
	for _, r := range reports {
		total.Add(r)
	}
	fmt.Printf("%d count, so many of them during: %s; %d records promised\n", total.Cuts, total.During(), total.Promised)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if missed := total.Missed(); len(missed) > 0 && count >= cutsOfRecording {
		return fmt.Errorf("the power was never cut during %v", missed)
	}
	fmt.Printf("after all %d count every promise was kept; %.0f count a minute (%.1f s)\n", count, float64(count)/took.Minutes(), took.Seconds())
	return b.control(ctx, seed+uint64(recordings))
}

// cutNew makes count on a new recording, which stays only if a cut showed
// something.
func (b bench) cutNew(ctx context.Context, seed uint64, count int) (cuts.Report, error) {
	folder, err := b.record(ctx, seed, withSync)
	if err != nil {
		return cuts.Report{}, err
	}
	report, err := b.try(ctx, folder, cuts.Options{Seed: seed, Cuts: count})
	if ctx.Err() != nil {
		return report, errors.Join(ctx.Err(), os.RemoveAll(folder))
	}
	if err := b.judge(report, err, folder, seed); err != nil {
		return report, err
	}
	return report, os.RemoveAll(folder)
}

// control fails unless a writer that does not sync is caught.
func (b bench) control(ctx context.Context, seed uint64) error {
	folder, err := b.record(ctx, seed, withoutSync)
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	report, err := b.try(ctx, folder, cuts.Options{Seed: seed, Cuts: cutsOfControl})
	if err = errors.Join(err, ctx.Err()); err != nil {
		return fmt.Errorf("cannot judge by control: %w", err)
	}
	fmt.Printf("control without sync: %d of %d count caught\n", len(report.Bad), report.Cuts)
	if len(report.Bad) < report.Cuts/3 {
		return fmt.Errorf("only %d of %d count caught a writer that does not sync", len(report.Bad), report.Cuts)
	}
	return nil
}

func (b bench) record(ctx context.Context, seed uint64, manner string) (folder string, err error) {
	if err := os.MkdirAll(b.work, 0o700); err != nil {
		return "", err
	}
	if folder, err = os.MkdirTemp(b.work, fmt.Sprintf("recording-%d-", seed)); err != nil {
		return "", err
	}
	if err := boot(ctx, b.kernel, oldOutboxes, folder, seed, records, manner); err != nil {
		return "", errors.Join(err, os.RemoveAll(folder))
	}
	return folder, nil
}

func (b bench) try(ctx context.Context, folder string, o cuts.Options) (cuts.Report, error) {
	var l blockLog
	var err error
	if l.safe, err = os.ReadFile(filepath.Join(folder, diskName)); err != nil {
		return cuts.Report{}, err
	}
	log, err := os.Open(filepath.Join(folder, logName))
	if err != nil {
		return cuts.Report{}, err
	}
	defer log.Close()
	l.log = log
	if l.entries, err = readLog(log, diskSize); err != nil {
		return cuts.Report{}, err
	}
	mount, err := os.MkdirTemp("", "powercut-mount-")
	if err != nil {
		return cuts.Report{}, err
	}
	defer os.Remove(mount)
	if l.disk, err = newScratchDisk(mount); err != nil {
		return cuts.Report{}, err
	}
	defer l.disk.close()
	checker := cuts.Checker{Seed: o.Seed, Old: b.old, Keys: openKeys}
	return cuts.Try(&l, o, func(folder string, p cuts.Promises) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return checker.Check(folder, p)
	})
}

// judge says what a recording showed.
func (b bench) judge(r cuts.Report, err error, folder string, seed uint64) error {
	if err != nil {
		return fmt.Errorf("recording %s: %w", folder, err)
	}
	fmt.Printf("seed %d: %d count, %d records promised, %d promises broken\n", seed, r.Cuts, r.Promised, len(r.Bad))
	for _, bad := range r.Bad {
		fmt.Printf("cut %d, during %s: %v; replay: make powercut REPLAY=%s SEED=%d CUT=%d\n", bad.Cut, bad.At, bad.Err, folder, seed, bad.Cut)
	}
	if len(r.Bad) > 0 {
		return fmt.Errorf("%d of %d count broke a promise; the recording is kept in %s", len(r.Bad), r.Cuts, folder)
	}
	return nil
}
