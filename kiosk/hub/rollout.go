package hub

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// An update of the kiosks' system is rolled out in rings, one after the other. A ring is a
// kiosk, a group of the rules, or a percentage of all kiosks. If more kiosks fail than the
// limit allows, the hub offers the update to no further kiosk and raises an alarm.
//
// The hubs on one JetStream share the roll-outs, but not the bundles: each hub serves the
// files in its own folder, and the operator adds the bundle at each. A bundle has hundreds of
// megabytes. In JetStream it would take the room of events, three times with three replicas,
// would be in each backup, and could not be read from the middle, as a download that goes on
// needs. The digest, which is shared, makes sure that all hubs serve the same bundle.

// Rollout is the state of the roll-out of one update.
type Rollout struct {
	Version    string             `json:"version"`
	Compatible string             `json:"compatible"`
	Digest     string             `json:"digest"` // SHA-256 of the bundle, hexadecimal
	Size       int64              `json:"size"`   // bytes
	Added      time.Time          `json:"added"`
	When       hubpolicy.Calendar `json:"when,omitempty"` // during which kiosks may install it

	Rings  []string           `json:"rings"`           // in their order
	Open   int                `json:"open"`            // rings that the operator has opened; 0 offers it to no kiosk
	Opened time.Time          `json:"opened,omitzero"` // when the operator opened the last of them
	Every  hubpolicy.Duration `json:"every,omitempty"` // opens a further ring after so long; 0 for never

	MaxFailures int    `json:"max_failures"`       // of kiosks; one more stops the roll-out
	Forgiven    int    `json:"forgiven,omitempty"` // failures from before the operator let it go on
	Stopped     string `json:"stopped,omitempty"`  // why; "" while it goes on
}

// check reports the first mistake in what the operator wrote.
func (r Rollout) check() error {
	if len(r.Rings) == 0 {
		return errors.New("it has no ring")
	}
	for _, ring := range r.Rings {
		if percent, ok := strings.CutSuffix(ring, "%"); ok {
			if n, err := strconv.Atoi(percent); err != nil || n < 1 || n > 100 {
				return fmt.Errorf("ring %q is not 1%% to 100%%", ring)
			}
		} else if !hubapi.ValidName(ring) {
			return fmt.Errorf("ring %q is neither a percentage nor the name of a kiosk or of a group", ring)
		}
	}
	if r.MaxFailures < 0 || r.Every < 0 {
		return errors.New("the limit of failures and the time between rings must not be negative")
	}
	return r.When.Prepare()
}

// openRings returns how many rings are open at a time.
func (r Rollout) openRings(now time.Time) int {
	switch {
	case r.Stopped != "" || r.Open == 0:
		return 0
	case r.Every <= 0:
		return r.Open
	}
	return min(len(r.Rings), r.Open+int(max(0, now.Sub(r.Opened))/time.Duration(r.Every)))
}

// reaches reports whether the update is offered to a kiosk, which is in these groups.
func (r Rollout) reaches(kiosk string, groups []string, now time.Time) bool {
	for _, ring := range r.Rings[:min(len(r.Rings), r.openRings(now))] {
		percent, ok := strings.CutSuffix(ring, "%")
		n, _ := strconv.Atoi(percent) // check has accepted it
		if ok && r.lot(kiosk) < n || ring == kiosk || slices.Contains(groups, ring) {
			return true
		}
	}
	return false
}

// lot is a kiosk's number from 0 to 99. Each update draws others, so that it is not always
// the same kiosks that get an update first.
func (r Rollout) lot(kiosk string) int {
	sum := sha256.Sum256([]byte(r.Digest + "\x00" + kiosk))
	return int(binary.BigEndian.Uint64(sum[:]) % 100)
}

// offer is what the policy of a kiosk says about the update.
func (r Rollout) offer() *hubpolicy.Update {
	return &hubpolicy.Update{Version: r.Version, Compatible: r.Compatible, Digest: r.Digest, Size: r.Size, When: r.When}
}

// UpdateReport is what a kiosk has reported about an update.
type UpdateReport struct {
	Kiosk   string             `json:"kiosk"`
	Time    time.Time          `json:"time"`
	State   event.UpdateState  `json:"state"`
	Reason  event.UpdateReason `json:"reason,omitempty"`
	Problem string             `json:"problem,omitempty"`
}

// failed reports whether the update did not succeed at the kiosk.
func (r UpdateReport) failed() bool {
	return r.State == event.UpdateRefused || r.State == event.UpdateFellBack
}

// excess returns why a roll-out must stop after these reports, or "".
func (r Rollout) excess(reports []UpdateReport) string {
	failed := failures(reports)
	if len(failed) <= r.MaxFailures+r.Forgiven {
		return ""
	}
	last := slices.MaxFunc(failed, func(a, b UpdateReport) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Kiosk, b.Kiosk))
	})
	return fmt.Sprintf("update %s failed at %d kiosks, at %s last (%s)", r.Version, len(failed), last.Kiosk, last.Reason)
}

// failures returns the reports of the kiosks at which an update did not succeed.
func failures(reports []UpdateReport) (failed []UpdateReport) {
	for _, report := range reports {
		if report.failed() {
			failed = append(failed, report)
		}
	}
	return failed
}
