package journal

import (
	"context"
	"fmt"
	"strings"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/event"
)

// Write records outcomes of visits and of services, and what was shown of them, all in one commit, or
// none after an error.
func (j *Journal) Write(_ context.Context, entries ...kiosk.Entry) error {
	events := make([]entry, len(entries))
	for i, e := range entries {
		switch e := e.(type) {
		case kiosk.Record:
			if e.Service != "" {
				events[i] = entry{kind: event.TypeService, payload: service(e)}
				continue
			}
			events[i] = entry{kind: event.TypeVisit, payload: j.outcome(e), note: j.note(e.Visit)}
		case kiosk.RecordShown:
			events[i] = entry{kind: event.TypeShown, payload: shown(e), clears: j.note(e.Visit)}
		}
	}
	return j.appendAll(events...)
}

func (j *Journal) outcome(r kiosk.Record) event.Visit {
	payload := event.Visit{
		Visit: r.Visit, Outcome: r.Outcome, Reason: r.Reason,
		Authenticated: r.Authenticated, Offline: r.Offline, Method: r.Method, Sandbox: r.Sandbox,
	}
	if r.Holder != (kiosk.Holder{}) {
		payload.Holder = &r.Holder
	}
	if r.Token != nil {
		payload.Evidence = &event.Evidence{Token: r.Token, Nonce: r.Nonce, Origin: j.Origin}
	}
	if r.Basis != (kiosk.Basis{}) {
		payload.Basis = &event.Basis{Rules: r.Basis.Rules, CRL: r.Basis.CRL}
		if !r.Basis.Time.IsZero() {
			payload.Basis.Time = within(r.Basis.Time)
		}
	}
	return payload
}

func service(r kiosk.Record) event.Service {
	payload := event.Service{
		Visit: r.Visit, Service: r.Service, Code: r.Code, Outcome: r.Outcome, Reason: r.Reason, Authenticated: r.Authenticated,
	}
	if r.Holder != (kiosk.Holder{}) {
		payload.Holder = &r.Holder
	}
	if d := r.Document; d.ID != "" {
		payload.Document = &event.Document{ID: d.ID, Kind: d.Kind, Hash: d.Hash, Decision: r.Decision}
	}
	return payload
}

func shown(r kiosk.RecordShown) event.Shown {
	payload := event.Shown{Visit: r.Visit, Result: r.Result, Screen: r.Screen, Door: r.Door, Reason: r.Reason}
	if r.Result == kiosk.Shown {
		payload.At = within(r.At).Truncate(time.Millisecond)
	}
	return payload
}

// note returns the text that the outbox keeps until it has the report of what was shown
// of a visit: the visit and the boot, in which its outcome was recorded.
func (j *Journal) note(visit string) string { return visit + " " + j.Clocks.BootID }

// Settle writes the missing reports of visits whose outcome is in the outbox, because
// the program or the machine stopped before it wrote them. last is the last report that
// the program noted elsewhere, as soon as the person learned the outcome, or the zero
// value. If the machine has started again since, an older report may be there.
func (j *Journal) Settle(last kiosk.RecordShown) error {
	for _, note := range j.Outbox.Notes() {
		visit, boot, _ := strings.Cut(note, " ")
		report := kiosk.RecordShown{Visit: visit, Result: kiosk.NotShown, Reason: kiosk.Stopped}
		switch {
		case last.Visit == visit:
			report = last
		case boot != j.Clocks.BootID:
			report.Result = kiosk.ShownUnknown
		}
		if err := j.appendAll(entry{kind: event.TypeShown, payload: shown(report), clears: note}); err != nil {
			return fmt.Errorf("cannot complete visit %s: %w", visit, err)
		}
	}
	return nil
}
