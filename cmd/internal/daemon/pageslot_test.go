package daemon

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/device/scproxy"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/terminal"
)

// scriptedSlot is a slot whose events the test sends.
type scriptedSlot struct {
	terminal.Slot
	cards chan kiosk.Event
}

func (s scriptedSlot) Watch(context.Context) <-chan kiosk.Event { return s.cards }

// TestPageSlot plays what happens in the slot and in the browser, and compares the
// events that the terminal receives.
func TestPageSlot(t *testing.T) {
	in, gone, silent := kiosk.CardInserted{Visit: "v1"}, kiosk.CardGone{}, kiosk.CardSilent{Visit: "v2"}
	claimed, wanted, returned, unusedCard := kiosk.CardClaimed{}, kiosk.CardWanted{}, kiosk.CardReturned{}, kiosk.CardUnused{Visit: "v9"}
	const unused, awaited, inUse = scproxy.Unused, scproxy.Awaited, scproxy.InUse
	for name, c := range map[string]struct {
		steps []any // kiosk.Event of the slot, scproxy.Use of the pages, time.Duration that passes
		want  []kiosk.Event
	}{
		"no page":                       {[]any{gone, in, gone}, []kiosk.Event{gone, in, gone}},
		"a page waits and logs in":      {[]any{gone, awaited, in, inUse, unused, gone, in}, []kiosk.Event{gone, claimed, returned, gone, in}},
		"the holder types slowly":       {[]any{awaited, in, inUse, awaited, time.Hour, inUse, unused}, []kiosk.Event{claimed, claimed, returned}},
		"a second session":              {[]any{awaited, in, inUse, unused, inUse, unused, gone}, []kiosk.Event{claimed, returned, claimed, returned, gone}},
		"the page does not use it":      {[]any{awaited, in, claimFor, time.Hour}, []kiosk.Event{claimed, unusedCard}},
		"the page uses it just in time": {[]any{awaited, in, claimFor - 1, inUse, time.Hour, unused}, []kiosk.Event{claimed, returned}},
		"the page stops waiting":        {[]any{awaited, in, unused, time.Hour}, []kiosk.Event{claimed, unusedCard}},
		"pulled while claimed":          {[]any{awaited, in, gone, time.Hour, unused}, []kiosk.Event{claimed, gone}},
		"pulled while used":             {[]any{awaited, in, inUse, gone, unused}, []kiosk.Event{claimed, gone}},
		"two cards for one page":        {[]any{awaited, in, claimFor - 1, gone, in, claimFor - 1, inUse}, []kiosk.Event{claimed, gone, claimed}},
		"the session is seen first":     {[]any{gone, inUse, in, unused}, []kiosk.Event{gone, claimed, returned}},
		"seen after the card is gone":   {[]any{in, gone, inUse, unused}, []kiosk.Event{in, gone}},
		"a card left in after a visit":  {[]any{in, time.Hour, awaited, inUse, unused, gone}, []kiosk.Event{in, wanted, claimed, returned, gone}},
		"in before the page asks":       {[]any{in, awaited, claimFor - 1, inUse, time.Hour, unused}, []kiosk.Event{in, wanted, claimed, returned}},
		"the page only asked":           {[]any{in, awaited, time.Hour, unused}, []kiosk.Event{in, wanted, unusedCard}},
		"the page asks again and again": {[]any{in, awaited, time.Hour, unused, awaited, time.Hour, unused, awaited}, []kiosk.Event{in, wanted, unusedCard}},
		"given back, and then used":     {[]any{in, awaited, time.Hour, inUse, unused}, []kiosk.Event{in, wanted, unusedCard, claimed, returned}},
		"asked for, and given up":       {[]any{in, awaited, unused, time.Hour, gone, in, awaited}, []kiosk.Event{in, wanted, unusedCard, gone, in, wanted}},
		"pulled while offered":          {[]any{in, awaited, gone, time.Hour}, []kiosk.Event{in, wanted, gone}},
		"a mute card":                   {[]any{awaited, silent, gone, in}, []kiosk.Event{silent, gone, claimed}},
		"the reader goes":               {[]any{awaited, in, kiosk.ReaderGone{}, unused}, []kiosk.Event{claimed, kiosk.ReaderGone{}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cards, uses := make(chan kiosk.Event), make(chan scproxy.Use)
				s := pageSlot{scriptedSlot{cards: cards}, func(context.Context) <-chan scproxy.Use { return uses }, func() string { return "v9" }}
				events := s.Watch(t.Context())
				got := make(chan []kiosk.Event)
				go func() {
					var all []kiosk.Event
					for e := range events {
						all = append(all, e)
					}
					got <- all
				}()
				for _, step := range c.steps {
					switch step := step.(type) {
					case kiosk.Event:
						cards <- step
					case scproxy.Use:
						uses <- step
					case time.Duration:
						time.Sleep(step)
					}
					synctest.Wait()
				}
				close(cards)
				if all := <-got; fmt.Sprintf("%#v", all) != fmt.Sprintf("%#v", c.want) {
					t.Errorf("got %#v, want %#v", all, c.want)
				}
			})
		})
	}
}
