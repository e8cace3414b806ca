package terminal_test

import (
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/terminal"
)

// The report of what was shown is written within a second, or together with the next
// outcome. Told is called at once.
func TestShownWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []kiosk.RecordShown
		r := start(t, func(r *rig, term *terminal.Terminal) {
			term.Told = func(s kiosk.RecordShown) { told = append(told, s) }
		})
		visit := func() {
			r.slotIs(kiosk.CardGone{}, cardIn())
			r.typeKeys("1234#")
			r.expectScreen(kiosk.ScreenGranted)
		}
		visit()
		shownAt := time.Now()
		if reports, _ := r.written(); len(told) != 1 || len(reports) != 0 {
			t.Errorf("told %+v, written %+v", told, reports)
		}
		r.pass(time.Second)
		want := kiosk.RecordShown{Visit: r.records[0].Visit, Result: kiosk.Shown, Screen: kiosk.ScreenGranted, Door: true, At: shownAt}
		if reports, commits := r.written(); len(reports) != 1 || reports[0] != want || told[0] != want || commits != 2 {
			t.Errorf("in %d commits: %+v", commits, reports)
		}
		visit()
		visit() // the first one's report is written with the second one's outcome
		if reports, commits := r.written(); len(reports) != 2 || reports[1].Visit != r.records[1].Visit || commits != 4 {
			t.Errorf("in %d commits: %+v", commits, reports)
		}
		r.pass(time.Second)
		if reports, commits := r.written(); len(reports) != 3 || commits != 5 {
			t.Errorf("in %d commits: %+v", commits, reports)
		}
		if err := r.end(); err != nil || len(r.reports) != 3 {
			t.Errorf("%v, %+v", err, r.reports)
		}
	})
}

// A granted outcome of which the person learns nothing, because the card or the reader is
// gone or kioskd stops while it is being written, is reported as not shown.
func TestNotShown(t *testing.T) {
	for name, c := range map[string]struct {
		happens kiosk.Event // nil: the program stops
		reason  kiosk.Reason
	}{
		"card pulled": {kiosk.CardGone{}, kiosk.CardRemoved},
		"reader lost": {kiosk.ReaderGone{}, kiosk.ReaderLost},
		"stopped":     {nil, kiosk.Stopped},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				r := start(t, func(r *rig, _ *terminal.Terminal) { r.slowDisk = release })
				r.slotIs(kiosk.CardGone{}, cardIn())
				r.typeKeys("1234#")
				r.expectScreen(kiosk.ScreenChecking)
				if c.happens != nil {
					r.slotIs(c.happens)
				} else {
					r.stop()
					synctest.Wait()
				}
				close(release)
				if err := r.end(); err != nil {
					t.Error(err)
				}
				if len(r.records) != 1 || r.records[0].Outcome != kiosk.Granted || len(r.reports) != 1 ||
					r.reports[0].Visit != r.records[0].Visit || r.reports[0].Result != kiosk.NotShown || r.reports[0].Reason != c.reason || r.reports[0].Door {
					t.Errorf("recorded %+v, reported %+v", r.records, r.reports)
				}
				for _, did := range r.diary {
					if did == "door" || did == "show granted" {
						t.Errorf("it happened: %q", r.diary)
					}
				}
			})
		})
	}
}
