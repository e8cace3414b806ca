package journal

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/event"
)

// Settle writes the report that is missing after kioskd or its machine stopped: the last
// report that kioskd noted, "not shown" if kioskd was killed before it noted one, or
// "unknown" after the machine lost its power.
func TestSettle(t *testing.T) {
	shownAt := time.Date(2026, 11, 22, 12, 0, 1, 0, time.UTC)
	last := kiosk.RecordShown{Visit: "v2", Result: kiosk.Shown, Screen: kiosk.ScreenGranted, Door: true, At: shownAt}
	other := last
	other.Visit = "v1"
	for name, c := range map[string]struct {
		last kiosk.RecordShown
		boot string // of the next run
		want string
	}{
		"noted":          {last, "boot-1", `{"visit":"v2","result":"shown","screen":"granted","door":true,"shownat":"2026-11-22T12:00:01Z"}`},
		"noted, reboot":  {last, "boot-2", `{"visit":"v2","result":"shown","screen":"granted","door":true,"shownat":"2026-11-22T12:00:01Z"}`},
		"killed":         {kiosk.RecordShown{}, "boot-1", `{"visit":"v2","result":"not-shown","door":false,"reason":"stopped"}`},
		"killed, old":    {other, "boot-1", `{"visit":"v2","result":"not-shown","door":false,"reason":"stopped"}`},
		"power cut":      {kiosk.RecordShown{}, "boot-2", `{"visit":"v2","result":"unknown","door":false,"reason":"stopped"}`},
		"power cut, old": {other, "boot-2", `{"visit":"v2","result":"unknown","door":false,"reason":"stopped"}`},
	} {
		t.Run(name, func(t *testing.T) {
			j, out, open := newJournal(t)
			err := errors.Join(
				j.Write(t.Context(), kiosk.Record{Visit: "v1", Outcome: kiosk.Granted}),
				// The report on one visit and the outcome of the next are one commit.
				j.Write(t.Context(), kiosk.RecordShown{Visit: "v1", Result: kiosk.Shown, At: shownAt}, kiosk.Record{Visit: "v2", Outcome: kiosk.Granted}),
			)
			if err != nil || len(out.notes) != 1 {
				t.Fatalf("%v, notes %q", err, out.notes)
			}
			j.Clocks.BootID = c.boot
			out.full = true
			if err := j.Settle(c.last); err == nil || len(out.notes) != 1 {
				t.Errorf("with a full disk: %v, notes %q", err, out.notes)
			}
			out.full = false
			for range 2 { // the second time nothing is missing
				if err := j.Settle(c.last); err != nil {
					t.Fatal(err)
				}
			}
			if e := open(); e.Type != event.TypeShown || string(e.Payload) != c.want || len(out.events) != 5 || len(out.notes) != 0 {
				t.Errorf("%d events, notes %q, the last is %s %s", len(out.events), out.notes, e.Type, e.Payload)
			}
		})
	}
}

// A clock that is far off, and a time zone with an odd offset, do not prevent an event.
func TestAnyClock(t *testing.T) {
	zone := time.FixedZone("odd", 23*3600+59*60+59)
	for _, now := range []time.Time{{}, time.Unix(-1<<40, 0), time.Unix(1<<40, 0), time.Unix(1<<50, 0).In(zone), time.Date(2026, 3, 29, 2, 30, 0, 0, zone), time.Unix(0, -1).In(zone)} {
		j, _, open := newJournal(t)
		j.Clocks.Now = func() time.Time { return now }
		err := errors.Join(
			j.Write(t.Context(), kiosk.Record{Visit: "v1", Outcome: kiosk.Denied, Offline: true, Basis: kiosk.Basis{Rules: "r", Time: now}}),
			j.Write(t.Context(), kiosk.RecordShown{Visit: "v1", Result: kiosk.Shown, At: now}),
			j.Started("1"),
		)
		if err != nil {
			t.Errorf("with the time %v: %v", now, err)
			continue
		}
		e := open()
		if !json.Valid(e.Payload) || e.Time.Before(event.MinTime) || e.Time.After(event.MaxTime) {
			t.Errorf("with the time %v: %+v", now, e.Header)
		}
	}
}
