package update

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"smartkiosk/kiosk/protocol/event"
)

// install installs the bundle between two visits, in the allowed hours, if the kiosk works.
// It would otherwise not be known whether a fault is the new system's.
func (a *Agent) install(ctx context.Context) (time.Duration, error) {
	if !a.state.Update.When.InHours(a.Now()) {
		return every, nil
	}
	if _, idle := a.Idle(); !idle {
		return busyPause, nil
	}
	if err := a.Healthy(ctx); err != nil {
		return 0, fmt.Errorf("the update waits until the kiosk works: %w", err)
	}
	switch digest, err := digestOf(a.bundle()); {
	case errors.Is(err, fs.ErrNotExist), err == nil && digest != a.state.Update.Digest:
		next := a.state // the disk has lost it
		next.Step = fetching
		return 0, a.save(next)
	case err != nil:
		return 0, err
	}
	_, slot, _, err := a.Installer.Status(ctx)
	if err != nil {
		return 0, err
	}
	next := a.state
	next.Step, next.From, next.BootID, next.Position = installing, slot, a.BootID, a.Position()
	if err := a.save(next); err != nil {
		return 0, err
	}
	a.Log.Info("update is being installed", "version", next.Update.Version)
	refusal, err := a.Installer.Install(ctx, a.bundle())
	switch {
	case err != nil:
		return 0, err
	case refusal != "":
		return 0, a.end(event.UpdateRefused, event.UpdateInstall, refusal)
	}
	return 0, a.isInstalled()
}

// isInstalled notes that the other slot has the new system.
func (a *Agent) isInstalled() error {
	next := a.state
	next.Step, next.Result, next.Told = installed, event.UpdateInstalled, false
	if err := a.writeTrial(); err != nil {
		return err
	}
	if err := a.save(next); err != nil {
		return err
	}
	a.Log.Info("update is installed", "version", next.Update.Version)
	return a.tell()
}

// writeTrial notes for "kioskctl update fallback" that the new system is on trial.
func (a *Agent) writeTrial() error {
	f, err := os.Create(a.trial())
	if err != nil {
		return err
	}
	_, err = f.WriteString(a.state.From)
	return errors.Join(err, f.Sync(), f.Close())
}

// settle goes on with an update after RAUC has begun to install it.
func (a *Agent) settle(ctx context.Context) (time.Duration, error) {
	_, slot, _, err := a.Installer.Status(ctx)
	if err != nil {
		return 0, err
	}
	s := a.state
	restarted, back := s.BootID != a.BootID, slot == s.From
	switch {
	case s.Step == installing && back:
		return 0, a.installAgain()
	case s.Step == installing: // the power was cut after RAUC had finished
		return 0, a.isInstalled()
	case s.Step == installed && !restarted:
		return a.restart(ctx)
	case s.Step == installed && back:
		return 0, a.end(event.UpdateFellBack, event.UpdateBoot, "the new system did not start, or kioskd did not start in it")
	case s.Step == installed:
		return a.try(ctx)
	case back: // undoing
		return 0, a.end(event.UpdateFellBack, s.Reason, s.Problem)
	}
	if err := a.Installer.FallBack(ctx); err != nil {
		return 0, err
	}
	return a.restart(ctx)
}

// installAgain repeats an installation that was interrupted.
func (a *Agent) installAgain() error {
	next := a.state
	if next.BootID != a.BootID {
		next.Tries++ // otherwise RAUC may still be at it
	}
	if next.Tries >= maxTries {
		return a.end(event.UpdateRefused, event.UpdateInstall, fmt.Sprintf("the machine stopped %d times while it was installed", next.Tries))
	}
	next.Step = fetched
	return a.save(next)
}

// restart restarts the machine as soon as no visit is in progress.
func (a *Agent) restart(ctx context.Context) (time.Duration, error) {
	if _, idle := a.Idle(); !idle {
		return busyPause, nil
	}
	a.Log.Warn("the machine restarts", "reason", "update", "version", a.state.Update.Version)
	return every, a.Restart(ctx)
}

// try keeps the new system if the kiosk works with it, and else goes back to the old one.
func (a *Agent) try(ctx context.Context) (time.Duration, error) {
	problem := a.Healthy(ctx)
	if at := a.Position(); problem == nil && at < a.state.Position {
		problem = fmt.Errorf("the outbox has lost events: its last one is %d, and it was %d before the update", at, a.state.Position)
	}
	if problem == nil {
		if err := a.Installer.MarkGood(ctx); err != nil {
			return 0, err
		}
		return every, a.end(event.UpdateGood, "", "")
	}
	if a.Uptime() < trialTime {
		return trialLook, nil
	}
	next := a.state
	next.Step, next.Reason, next.Problem = undoing, event.UpdateUnhealthy, problem.Error()
	return 0, a.save(next)
}
