package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/raucbundle"
)

// updatesBucket has an entry <digest> → Rollout for each update, and <digest>.<kiosk> →
// UpdateReport for what each kiosk reported last.
const updatesBucket = "smartkiosk-updates"

// rollouts are all roll-outs, as the hub knows them. It follows the bucket, so that a policy
// costs no request to JetStream.
type rollouts struct {
	kv jetstream.KeyValue

	mu    sync.Mutex
	known map[string]Rollout // by digest
}

func openRollouts(ctx context.Context, js jetstream.JetStream) (*rollouts, error) {
	kv, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: updatesBucket, Storage: jetstream.FileStorage})
	return &rollouts{kv: kv, known: map[string]Rollout{}}, err
}

// attachRollouts opens the bucket and reads the roll-outs.
func (h *Hub) attachRollouts(ctx context.Context) (err error) {
	if h.rollouts, err = openRollouts(ctx, h.js); err != nil {
		return err
	}
	return eachEntry(ctx, h.rollouts.kv, "*", h.rollouts.learn)
}

func (h *Hub) watchRollouts(ctx context.Context) {
	h.keepFollowing(ctx, "updates", h.rollouts.follow)
}

// follow reads the roll-outs, and then their changes, until ctx ends.
func (r *rollouts) follow(ctx context.Context) error {
	return follow(ctx, r.kv, func(found jetstream.KeyValueEntry) error {
		if strings.Contains(found.Key(), ".") {
			return nil // a kiosk's report
		}
		if found.Operation() != jetstream.KeyValuePut {
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.known, found.Key())
			return nil
		}
		return r.learn(found.Key(), found.Value())
	})
}

func (r *rollouts) learn(digest string, text []byte) error {
	var o Rollout
	err := json.Unmarshal(text, &o)
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return fmt.Errorf("cannot read the update %s: %w", digest, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[digest] = o
	return nil
}

// has reports whether there is an update with this digest.
func (r *rollouts) has(digest string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.known[digest]
	return ok
}

// offer returns the newest version whose open rings a kiosk is in, or nil.
func (r *rollouts) offer(kiosk string, groups []string, now time.Time) *hubpolicy.Update {
	r.mu.Lock()
	defer r.mu.Unlock()
	var best *Rollout
	for _, o := range r.known {
		if o.reaches(kiosk, groups, now) && (best == nil || cmp.Or(raucbundle.Compare(best.Version, o.Version), cmp.Compare(best.Digest, o.Digest)) < 0) {
			best = &o
		}
	}
	if best == nil {
		return nil
	}
	return best.offer()
}

// change changes a roll-out. Another process may change it at the same time, so f may be
// called again. change returns false if there is no such roll-out, or if f returns false.
func (r *rollouts) change(ctx context.Context, digest string, f func(*Rollout) bool) (bool, error) {
	for {
		found, err := r.kv.Get(ctx, digest)
		if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrInvalidKey) {
			return false, nil
		}
		if err != nil {
			return false, storeError{err}
		}
		var o Rollout
		if err := json.Unmarshal(found.Value(), &o); err != nil {
			return false, fmt.Errorf("cannot read the update %s: %w", digest, err)
		}
		if !f(&o) {
			return false, nil
		}
		text, err := json.Marshal(o)
		if err != nil {
			return false, err
		}
		_, err = r.kv.Update(ctx, digest, text, found.Revision())
		if errors.Is(err, jetstream.ErrKeyRevisionMismatch) || errors.Is(err, jetstream.ErrKeyExists) {
			continue
		}
		if err != nil {
			return false, storeError{err}
		}
		return true, nil
	}
}

// all returns all roll-outs, the newest version first.
func (r *rollouts) all(ctx context.Context) (list []Rollout, err error) {
	err = eachEntry(ctx, r.kv, "*", func(digest string, text []byte) error {
		var o Rollout
		if err := json.Unmarshal(text, &o); err != nil {
			return fmt.Errorf("cannot read the update %s: %w", digest, err)
		}
		list = append(list, o)
		return nil
	})
	slices.SortFunc(list, func(a, b Rollout) int {
		return cmp.Or(raucbundle.Compare(b.Version, a.Version), cmp.Compare(a.Digest, b.Digest))
	})
	return list, err
}

// reports returns what the kiosks have reported about an update, by kiosk.
func (r *rollouts) reports(ctx context.Context, digest string) (list []UpdateReport, err error) {
	err = eachEntry(ctx, r.kv, digest+".*", func(_ string, text []byte) error {
		var report UpdateReport
		if err := json.Unmarshal(text, &report); err != nil {
			return fmt.Errorf("cannot read a report about the update %s: %w", digest, err)
		}
		list = append(list, report)
		return nil
	})
	slices.SortFunc(list, func(a, b UpdateReport) int { return strings.Compare(a.Kiosk, b.Kiosk) })
	return list, err
}

// tellsOfUpdate reports whether an event is about an update.
func tellsOfUpdate(text []byte) bool {
	return string(event.Members(text, "type")[0]) == `"`+event.TypeUpdate+`"`
}

// noteUpdate notes an event about an update, and stops the roll-out if too many kiosks have
// failed. It may be called twice with the same event.
func (h *Hub) noteUpdate(ctx context.Context, kioskID string, text []byte) error {
	var e struct {
		Time time.Time    `json:"time"`
		Data event.Update `json:"data"`
	}
	if err := json.Unmarshal(text, &e); err != nil {
		h.log.Debug("cannot read event about an update", "kiosk", kioskID, "err", err)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	digest := e.Data.Bundle
	if !h.rollouts.has(digest) {
		return nil // it was removed since
	}
	report, err := json.Marshal(UpdateReport{Kiosk: kioskID, Time: e.Time, State: e.Data.State, Reason: e.Data.Reason, Problem: e.Data.Problem})
	if err != nil {
		return err
	}
	if _, err := h.rollouts.kv.Put(ctx, digest+"."+kioskID, report); err != nil {
		return storeError{err}
	}
	reports, err := h.rollouts.reports(ctx, digest)
	if err != nil {
		return err
	}
	var alarm error
	_, err = h.rollouts.change(ctx, digest, func(r *Rollout) bool {
		why := r.excess(reports)
		if why == "" || r.Stopped != "" || r.Open == 0 {
			return false
		}
		// The alarm comes first, so that it is never lost. It may come twice.
		alarm = h.alarm(ctx, "update-"+digest+"-"+r.Opened.Format(time.RFC3339), event.Alarm{Kind: event.AlarmUpdate, Detail: why})
		r.Stopped = why
		return alarm == nil
	})
	return errors.Join(alarm, err)
}
