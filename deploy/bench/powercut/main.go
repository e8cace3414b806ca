//go:build linux

// Powercut cuts the power of a program that writes to an outbox, on a real file
// system and a real kernel's block layer: see deploy/bench/powercut/cuts. The
// writer runs in a user-mode Linux whose disk logs all writes. Powercut rebuilds
// the disk from the log, mounts it on this machine and checks it. It must run as
// root.
//
//	powercut -kernel FILE -cuts N [-seed N] [-work FOLDER]
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

// openKeys opens a hub's sealing keys and a kiosk that follows them.
func openKeys(seed uint64, path string) (cuts.Keys, error) { return sealtest.Open(seed, path) }

func run(ctx context.Context) error {
	kernel := flag.String("kernel", "", "user-mode Linux, as kernel.sh builds it")
	count := flag.Int("cuts", 1000, "how often the power is cut")
	seed := flag.Uint64("seed", 0, "seed of the writer and the cuts; 0 chooses one")
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
		return b.report(report, err, *replay, *seed)
	}
	return b.run(ctx, *seed, *count)
}

// bench makes recordings and cuts.
type bench struct {
	kernel, work string
	old          []cuts.Old
}

// run makes the cuts, on several recordings at once because a cut mostly waits
// for the kernel. Then it runs the control: the same writer without sync.
func (b bench) run(ctx context.Context, seed uint64, count int) error {
	fmt.Printf("%d cuts, seed %d\n", count, seed)
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
	fmt.Printf("%d cuts, by what they interrupted: %s; %d records promised\n", total.Cuts, total.During(), total.Promised)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if missed := total.Missed(); len(missed) > 0 && count >= cutsOfRecording {
		return fmt.Errorf("the power was never cut during %v", missed)
	}
	fmt.Printf("every promise was kept after all %d cuts; %.0f cuts per minute (%.1f s)\n", count, float64(count)/took.Minutes(), took.Seconds())
	return b.control(ctx, seed+uint64(recordings))
}

// cutNew makes cuts on a new recording. It keeps the recording only if a cut
// broke a promise.
func (b bench) cutNew(ctx context.Context, seed uint64, count int) (cuts.Report, error) {
	folder, err := b.record(ctx, seed, withSync)
	if err != nil {
		return cuts.Report{}, err
	}
	report, err := b.try(ctx, folder, cuts.Options{Seed: seed, Cuts: count})
	if ctx.Err() != nil {
		return report, errors.Join(ctx.Err(), os.RemoveAll(folder))
	}
	if err := b.report(report, err, folder, seed); err != nil {
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
		return fmt.Errorf("cannot run the control: %w", err)
	}
	fmt.Printf("control without sync: %d of %d cuts broke a promise\n", len(report.Bad), report.Cuts)
	if len(report.Bad) < report.Cuts/3 {
		return fmt.Errorf("only %d of %d cuts broke a promise of a writer that does not sync", len(report.Bad), report.Cuts)
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

// report prints the result of a recording.
func (b bench) report(r cuts.Report, err error, folder string, seed uint64) error {
	if err != nil {
		return fmt.Errorf("recording %s: %w", folder, err)
	}
	fmt.Printf("seed %d: %d cuts, %d records promised, %d promises broken\n", seed, r.Cuts, r.Promised, len(r.Bad))
	for _, bad := range r.Bad {
		fmt.Printf("cut %d, during %s: %v; replay: make powercut REPLAY=%s SEED=%d CUT=%d\n", bad.Cut, bad.At, bad.Err, folder, seed, bad.Cut)
	}
	if len(r.Bad) > 0 {
		return fmt.Errorf("%d of %d cuts broke a promise; the recording is kept in %s", len(r.Bad), r.Cuts, folder)
	}
	return nil
}
