package update

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// step says what the agent does with an update.
type step string

const (
	fetching   step = "fetching"
	fetched    step = "fetched"    // the bundle is complete, and RAUC accepts its signature
	installing step = "installing" // RAUC writes it into the other slot
	installed  step = "installed"  // the machine starts from it, or runs it on trial
	undoing    step = "undoing"    // the machine goes back to the old system
	ended      step = "ended"
)

// state is the stored state of an update.
type state struct {
	Step   step             `json:"step,omitempty"` // "" without an update
	Update hubpolicy.Update `json:"update,omitzero"`

	From        string `json:"from,omitempty"`         // the slot before the installation
	FromVersion string `json:"from_version,omitempty"` // its version
	BootID      string `json:"boot_id,omitempty"`      // at the installation
	Position    uint64 `json:"position,omitempty"`     // of the last event at the installation
	Tries       int    `json:"tries,omitempty"`        // downloads that had a wrong digest, or installations that were interrupted

	Result  event.UpdateState  `json:"result,omitempty"`
	Reason  event.UpdateReason `json:"reason,omitempty"`
	Problem string             `json:"problem,omitempty"`
	At      time.Time          `json:"at,omitzero"`   // when it ended
	Told    bool               `json:"told,omitzero"` // there is an event about Result
}

const (
	// TrialFile exists in Agent.Dir while a new system is on trial, and has the name of the
	// slot of the old one. If the new kioskd cannot even start, "kioskctl update fallback"
	// finds this file and goes back.
	TrialFile = "trial"

	// roomAgain is how long the kiosk waits for room on its disk.
	roomAgain = 24 * time.Hour
)

// again reports whether an update that was refused is tried again, because the reason may be
// gone.
func (s state) again(now time.Time) bool {
	return s.Step == ended && s.Reason == event.UpdateTooLarge && !now.Before(s.At.Add(roomAgain))
}

// load reads the stored state. Without one, or if it is damaged, there is no update.
func (a *Agent) load() {
	text, err := a.Memory.Load()
	if err == nil && text != nil {
		err = json.Unmarshal(text, &a.state)
	}
	if err != nil {
		a.Log.Error("cannot read the state of the update", "err", err)
		a.state = state{}
	}
	a.publish("")
}

// save stores a state.
func (a *Agent) save(s state) error {
	text, err := json.Marshal(s)
	if err == nil {
		err = a.Memory.Save(text)
	}
	if err != nil {
		return fmt.Errorf("cannot store the state of the update: %w", err)
	}
	a.state = s
	a.publish("")
	return nil
}

// end ends the update with a result.
func (a *Agent) end(result event.UpdateState, reason event.UpdateReason, problem string) error {
	s := a.state
	s.Step, s.Result, s.Reason, s.Problem, s.At, s.Told = ended, result, reason, problem, a.Now().UTC(), false
	if err := a.save(s); err != nil {
		return err
	}
	if result == event.UpdateGood {
		a.Log.Info("update is good", "version", s.Update.Version)
	} else {
		a.Log.Error("update is not kept", "version", s.Update.Version, "state", result, "reason", reason, "err", problem)
	}
	return errors.Join(a.clean(""), a.tell())
}

// tell writes the event about the result.
func (a *Agent) tell() error {
	s := a.state
	err := a.Tell(event.Update{
		Version: s.Update.Version, From: s.FromVersion, Bundle: s.Update.Digest, State: s.Result, Reason: s.Reason, Problem: s.Problem,
	})
	if err != nil {
		return err
	}
	s.Told = true
	return a.save(s)
}

// Status describes the update for technicians.
type Status struct {
	Absent  bool               `json:"absent,omitempty"`  // this machine has no RAUC, and takes no updates
	Version string             `json:"version,omitempty"` // of the running system; "" until it is known
	Offered string             `json:"offered,omitempty"` // version that the hub offers
	Step    string             `json:"step,omitempty"`
	Fetched int64              `json:"fetched,omitempty"` // bytes, while it is fetched
	Size    int64              `json:"size,omitempty"`
	Result  event.UpdateState  `json:"result,omitempty"`
	Reason  event.UpdateReason `json:"reason,omitempty"`
	Problem string             `json:"problem,omitempty"` // of the result, or why the agent cannot go on at the moment
}

// Status returns the state of the update. It may be called from any goroutine.
func (a *Agent) Status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.status
	if a.offer != nil {
		s.Offered = a.offer.Version
	}
	return s
}

// publish makes the state visible to other goroutines, and shows its mark.
func (a *Agent) publish(failing string) {
	s := a.state
	out := Status{Absent: !a.present, Version: a.version, Step: string(s.Step), Size: s.Update.Size, Result: s.Result, Reason: s.Reason, Problem: s.Problem}
	if failing != "" {
		out.Problem = failing
	}
	if s.Step == fetching {
		if info, err := os.Stat(a.part()); err == nil {
			out.Fetched = info.Size()
		}
	}
	a.mu.Lock()
	a.status = out
	a.mu.Unlock()
	a.Show(s.mark())
}

// marks are the marks on the panel for each reason.
var marks = map[event.UpdateReason]string{
	event.UpdateAltered: "u1", event.UpdateSignature: "u2", event.UpdateOlder: "u3", event.UpdateBoard: "u4",
	event.UpdateTooLarge: "u5", event.UpdateInstall: "u6", event.UpdateBoot: "u7", event.UpdateUnhealthy: "u8",
}

// mark is the mark on the panel: u and a digit after an update that was not kept, "u" while a
// new system is on trial.
func (s state) mark() string {
	switch s.Step {
	case installed, undoing:
		return "u"
	case ended:
		return marks[s.Reason]
	}
	return ""
}

func (a *Agent) part() string   { return filepath.Join(a.Dir, a.state.Update.Digest+".part") }
func (a *Agent) bundle() string { return filepath.Join(a.Dir, a.state.Update.Digest+".raucb") }
func (a *Agent) trial() string  { return filepath.Join(a.Dir, TrialFile) }
