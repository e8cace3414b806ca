package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sort"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/reconcile"
)

// incoming is an event that a kiosk sent.
type incoming struct {
	event.Opened
	ref reconcile.Event
}

func newIncoming(e event.Opened) (in incoming, err error) {
	in = incoming{e, reconcile.Event{
		ID: reconcile.ID(e.Link), Place: reconcile.Place{Epoch: e.Epoch, Sequence: e.Sequence},
		Previous: reconcile.ID(e.Prev), After: reconcile.Place{Epoch: e.Epoch, Sequence: e.Sequence - 1},
	}}
	if e.Type == event.TypeEpoch {
		in.ref.After, in.ref.Open, err = readOpen(e.Payload)
	}
	return in, err
}

// follows reports whether e comes directly after before in the same epoch.
func (e incoming) follows(before incoming) bool {
	return e.Epoch == before.Epoch && e.Follows(before.Sequence, before.Link) == nil
}

// proves reports whether the hub has before if it has e, because e links to it.
func (e incoming) proves(before incoming) bool {
	return e.follows(before) && len(e.Prev) > 0 && len(before.Link) > 0
}

// kept is the result of keep.
type kept struct {
	*history
	gap int // index of the first event whose previous event is missing, or -1; the events before it are durable
}

// keep stores those events of a batch that the hub does not have yet.
func (h *Hub) keep(ctx context.Context, kioskID string, events []incoming) (kept, error) {
	// The cache saves reading half a megabyte from the stream after a backlog.
	if y, ok := h.histories.Load(kioskID); ok {
		k, err := h.keepIn(ctx, kioskID, y.(*history).clone(), events)
		if err == nil && k.gap < 0 {
			h.histories.Store(kioskID, k.history)
			return k, nil
		}
		// Another hub may have stored events since.
	}
	for {
		y, err := h.readHistory(ctx, kioskID)
		if err != nil {
			return kept{}, err
		}
		k, err := h.keepIn(ctx, kioskID, y, events)
		if errors.Is(err, errOvertaken) {
			continue // another hub stored some of these; find out which
		}
		if err != nil {
			h.histories.Delete(kioskID)
			return kept{}, err
		}
		h.histories.Store(kioskID, k.history)
		return k, nil
	}
}

// keepIn stores those events that a history does not have, and adds them to it. It fails with
// errOvertaken if the history is not complete.
func (h *Hub) keepIn(ctx context.Context, kioskID string, y *history, events []incoming) (kept, error) {
	for i := 0; i < len(events); {
		n, err := h.already(ctx, y, events[i:])
		if err != nil {
			return kept{}, err
		}
		if i += n; n > 0 {
			continue
		}
		branch, ok, err := y.Join(events[i].ref, h.idReader(ctx, y))
		if err != nil {
			return kept{}, err
		}
		if !ok && (events[i].Type == event.TypeLost || i > 0 && events[i-1].Type == event.TypeLost) {
			branch, ok = afterLost(y, events[i])
		}
		if !ok {
			return kept{y, i}, nil
		}
		n = fresh(y, events[i:])
		if err := h.store(ctx, kioskID, y, branch, events[i:i+n]); err != nil {
			return kept{}, err
		}
		i += n
	}
	return kept{y, -1}, nil
}

// already returns how many events at the beginning of a batch the hub has.
func (h *Hub) already(ctx context.Context, y *history, events []incoming) (n int, err error) {
	e := events[0]
	if e.Type == event.TypeLost {
		// An older kiosk lost this event. The hub keeps the one that it has.
		if y.Has(e.ref.Place) {
			return 1, nil
		}
		return 0, nil
	}
	run := 1 // of events each of which proves the one before it
	for run < len(events) && events[run].proves(events[run-1]) {
		run++
	}
	for i, b := range y.Branches {
		if b.Epoch != e.Epoch || e.Sequence < b.First || e.Sequence > b.Last {
			continue
		}
		within := min(run, int(b.Last-e.Sequence)+1)
		has := func(k int) bool {
			in, findErr := y.only(i).Find(events[k].ref.Place, events[k].ref.ID, func(_ int, sequence uint64) (reconcile.ID, error) {
				return h.find(ctx, y.parts[i], sequence)
			})
			err = errors.Join(err, findErr)
			return in >= 0
		}
		// If the hub has one of these, it has all before it. Usually it has all of them.
		if !has(within - 1) {
			within = sort.Search(within-1, func(k int) bool { return !has(k) })
		}
		if err != nil {
			return 0, err
		}
		n = max(n, within)
	}
	return n, nil
}

// only returns a log with one branch.
func (y *history) only(branch int) *reconcile.Log {
	return &reconcile.Log{Branches: y.Branches[branch : branch+1]}
}

// afterLost returns the branch that an event continues by its number. An event of TypeLost, and
// the event after it, may link to one that the hub ignored because it has the original.
func afterLost(y *history, e incoming) (branch int, ok bool) {
	branch = slices.IndexFunc(y.Branches, func(b reconcile.Branch) bool { return b.Epoch == e.Epoch && b.Last+1 == e.Sequence })
	return branch, branch >= 0
}

// fresh returns how many events from the first on, which the hub does not have, belong
// together and are not in the hub either.
func fresh(y *history, events []incoming) (n int) {
	conflict := y.Has(events[0].ref.Place) // what follows a different event is different too
	for n = 1; n < len(events) && events[n].follows(events[n-1]); n++ {
		if !conflict && y.Has(events[n].ref.Place) {
			break
		}
	}
	return n
}

// maxBranches is how many branches the hub keeps of one kiosk. A sound kiosk has a few: one for
// each disk, restored copy or restored hub.
const maxBranches = 1000

// store stores events that continue a branch of the history, or begin a new one if branch is
// -1.
func (h *Hub) store(ctx context.Context, kioskID string, y *history, branch int, events []incoming) error {
	first := events[0]
	if branch < 0 && len(y.Branches) >= maxBranches {
		h.abuse.note("epochs", hubapi.Identity{Role: hubapi.RoleKiosk, Name: kioskID}, "")
		return apihttp.Problem(http.StatusForbidden, hubapi.KindForbidden, "too many epochs",
			fmt.Sprintf("the kiosk has begun %d epochs or branches of them", len(y.Branches)))
	}
	to := part{subject: mainSubject(kioskID, first.Epoch)}
	switch {
	case branch >= 0:
		to = y.parts[branch]
	case slices.ContainsFunc(y.Branches, func(b reconcile.Branch) bool { return b.Epoch == first.Epoch }):
		to.subject = branchSubject(kioskID, first.Epoch, first.ref.ID)
	}
	if to.expected() == 0 && !y.fresh {
		// Since the history was read, another hub may have stored events of this branch, and
		// retention may have archived them. The stream would not show that.
		return errOvertaken
	}
	opened := make([]event.Opened, len(events))
	conflict := -1
	for i, e := range events {
		opened[i] = e.Opened
		if opened[i].Conflict = y.Has(e.ref.Place); opened[i].Conflict && conflict < 0 {
			conflict = i
		}
	}
	if conflict >= 0 && (branch < 0 || !y.Forked(first.Epoch)) {
		// Before the events, so that an alarm is never lost. It may come twice.
		if err := h.alarmAboutConflict(ctx, kioskID, opened[conflict]); err != nil {
			return err
		}
	}
	place, err := h.publish(ctx, to, opened)
	if err != nil {
		return err
	}
	for _, e := range events {
		branch = y.Add(e.ref, branch)
	}
	if branch == len(y.parts) {
		y.parts = append(y.parts, to)
	}
	y.parts[branch].place, y.parts[branch].archived = place, false
	h.log.Info("events stored", "request", requestID(ctx), "kiosk", kioskID, "events", len(events), "epoch", first.Epoch, "sequence", y.Branches[branch].Last)
	return nil
}

// alarmAboutConflict raises an alarm about an event with the epoch and number of another one.
func (h *Hub) alarmAboutConflict(ctx context.Context, kioskID string, e event.Opened) error {
	return h.alarm(ctx, "conflict "+e.ID, event.Alarm{
		Kiosk: kioskID, Kind: event.AlarmConflict, Event: e.ID, Epoch: e.Epoch, Sequence: e.Sequence,
		Detail: fmt.Sprintf("the kiosk recorded different events with sequence %d of one epoch", e.Sequence),
	})
}
