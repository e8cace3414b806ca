package offline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"smartkiosk/device/atomicfile"
)

// Witness is a small file apart from the records. It shows that the records have been
// lost, damaged, or replaced by an older copy. In that case the kiosk denies everybody
// offline until it has reached the hub. Its methods may be called from any goroutine.
type Witness struct {
	path string

	mu    sync.Mutex
	state witnessState
}

type witnessState struct {
	PolicyIssued time.Time `json:"policy_issued,omitzero"` // of the newest policy that was in force
	Grants       uint64    `json:"grants"`                 // changes of the counters of offline grants
	damaged      bool      // the file could not be read
}

// OpenWitness reads the file at path. If the file is missing, the kiosk is new. If it is
// damaged, the records count as lost.
func OpenWitness(path string) (*Witness, error) {
	w := &Witness{path: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return w, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read what offline grants rest on: %w", err)
	}
	if json.Unmarshal(text, &w.state) != nil || w.state == (witnessState{}) {
		w.state = witnessState{damaged: true}
	}
	return w, nil
}

// Followed reports whether the kiosk has ever had a policy in force, and when the newest
// one was issued. The time is zero if the file is damaged.
func (w *Witness) Followed() (issued time.Time, ever bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.PolicyIssued, w.state.damaged || !w.state.PolicyIssued.IsZero()
}

// Follow records that a policy issued at this time is in force.
func (w *Witness) Follow(issued time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state.PolicyIssued.Equal(issued) && !w.state.damaged {
		return nil
	}
	return w.write(witnessState{PolicyIssued: issued.UTC(), Grants: w.state.Grants})
}

// grants returns the number of changes of the counters. ok is false if the number is
// lost.
func (w *Witness) grants() (n uint64, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.Grants, !w.state.damaged
}

// count records one more change of the counters and returns the new number of changes.
func (w *Witness) count() (uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	next := w.state
	next.Grants++
	return next.Grants, w.write(next)
}

// write replaces the file. The new content is on disk when it returns.
func (w *Witness) write(s witnessState) error {
	text, err := json.Marshal(s)
	if err == nil {
		err = atomicfile.Replace(w.path, text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot write what offline grants rest on: %w", err)
	}
	w.state = s
	return nil
}
