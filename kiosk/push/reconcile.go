package push

import (
	"encoding/base64"
	"fmt"
	"slices"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/reconcile"
)

// early is an announcement that is sent before an older event, for which it vouches.
type early struct {
	before       uint64 // position of that event; 0 if there is no announcement to send early
	announcement uint64 // its position
	begun        bool   // this Pusher made it for that event
}

// heed does what an answer asks for, besides the acknowledgement.
func (p *Pusher) heed(a hubapi.Acknowledgement) error {
	if a.Conflict && a.Epoch == p.Queue.Epoch().ID {
		if _, err := p.beginEpoch(event.Epoch{Why: event.EpochConflict}); err != nil {
			return err
		}
		p.Log.Error("new epoch: the hub has other events with the numbers of this outbox", "epoch", a.Epoch)
	}
	if slices.Equal(a.Missing, p.missing) {
		return nil
	}
	p.missing = a.Missing
	return p.sendMissing()
}

// sendMissing sends those events again that the hub lacks, because another machine or an
// earlier life of this one announced them as lost, and that this kiosk still has.
func (p *Pusher) sendMissing() error {
	missing := func(e event.Header) bool {
		return slices.ContainsFunc(p.missing, func(l hubapi.LostEvents) bool {
			return l.Epoch == e.Epoch && l.From <= e.Sequence && e.Sequence <= l.Through
		})
	}
	at := p.Queue.Position()
	for after := at.First - 1; len(p.missing) > 0 && after < at.Acked; {
		records, err := p.Queue.Records(after, readEvents)
		if err != nil || len(records) == 0 {
			return err
		}
		for _, r := range records {
			after = r.Sequence
			if h, err := event.Peek(r.Data); err == nil && after <= at.Acked && missing(h) {
				return p.again(after - 1)
			}
		}
	}
	return nil
}

// again makes the events after a position pending again.
func (p *Pusher) again(after uint64) error {
	p.cancelAll() // or the acknowledgement of a batch in flight would include them
	return p.Queue.Unack(after)
}

// maxFills is how often in a row the pusher tries to fill the same gap at once. Later it
// waits as after any failure, because the hub does not do what it promises.
const maxFills = 3

// fill sends what the hub lacks before the event at a position. If it cannot, it begins a new
// epoch that says so.
func (p *Pusher) fill(at uint64, has []hubapi.Branch, problem error) error {
	if p.early.before != 0 && at == p.early.announcement {
		at, p.early.begun = p.early.before, false // the announcement does not say enough
	}
	if p.gap.at != at {
		p.gap.at, p.gap.times = at, 0
	}
	if p.gap.times++; p.gap.times > maxFills {
		p.gap.times = 0
		return fmt.Errorf("hub does not accept event %d: %w", at, problem)
	}
	var branches []reconcile.Branch
	for _, b := range has {
		branches = append(branches, reconcile.Branch{Epoch: b.Epoch, First: b.First, Last: b.Last, Tip: reconcile.ID(b.Link)})
	}
	after, lost, err := reconcile.Resend(at, p.Queue.Position().First, branches, p.link)
	if err != nil {
		return err
	}
	if lost && !(p.early.before == at && p.early.begun) {
		if err := p.vouch(at, branches); err != nil {
			return err
		}
	}
	return p.again(after)
}

// link returns the ID of the event at a position, if the outbox keeps it.
func (p *Pusher) link(position uint64) (id reconcile.ID, kept bool, err error) {
	records, err := p.Queue.Records(position-1, 1)
	if err != nil || len(records) == 0 || records[0].Sequence != position {
		return "", false, err
	}
	return reconcile.ID(records[0].Link), true, nil
}

// vouch chooses the announcement to send before the event at a position. It first tries that
// of the current epoch, which may be for this event if kioskd was restarted. Then it begins a
// new epoch.
func (p *Pusher) vouch(at uint64, has []reconcile.Branch) error {
	current := p.Queue.Epoch()
	if tried := p.early.before == at && p.early.announcement >= current.First; !tried && current.ID != "" && current.First > at {
		p.early = early{before: at, announcement: current.First}
		return nil
	}
	records, err := p.Queue.Records(at-1, 1)
	if err != nil {
		return err
	}
	if len(records) == 0 || records[0].Sequence != at {
		return fmt.Errorf("event %d is not in the outbox any more", at)
	}
	h, err := event.Peek(records[0].Data)
	if err != nil {
		return err
	}
	loss := reconcile.Loss(reconcile.Place{Epoch: h.Epoch, Sequence: h.Sequence}, reconcile.ID(records[0].Link), has)
	announcement, err := p.beginEpoch(event.Epoch{
		Why: event.EpochGap, LostEpoch: loss.Epoch, LostFrom: loss.From, LostThrough: loss.Through,
		Vouches: base64.RawURLEncoding.EncodeToString(records[0].Link),
	})
	if err != nil {
		return err
	}
	p.Log.Error("new epoch: the hub lacks events that this kiosk does not have any more", "epoch", loss.Epoch, "from", loss.From, "through", loss.Through)
	p.early = early{before: at, announcement: announcement, begun: true}
	return nil
}
