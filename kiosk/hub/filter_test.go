package hub

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// selected fails unless a pull that selects events returns these. It returns the cursor.
func (p *party) selected(s hubapi.Pull, want ...string) (cursor string) {
	p.t.Helper()
	events, cursor, err := p.Pull(p.t.Context(), p.id, s)
	if err != nil {
		p.t.Fatal(err)
	}
	if got := p.places(events); !slices.Equal(got, want) {
		p.t.Errorf("%+v returned %v, want %v", s, got, want)
	}
	return cursor
}

// A consumer selects events by kiosk and type, and its cursor passes those that it left out.
func TestFeedSelects(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, k2, office := b.kiosk(url, "k1"), b.kiosk(url, "k2"), b.consumer(url, "office")
	k1.send(k1.events(3), 3)
	k2.send(k2.events(2), 2)
	k1.send(k1.events(1), 4)

	office.selected(hubapi.Pull{Max: 10, Kiosks: []string{"k2"}}, "k2/1", "k2/2")
	office.selected(hubapi.Pull{Max: 10, Kiosks: []string{"k2", "k1"}, Types: []string{event.TypeVisit}}, "k1/1", "k1/2", "k1/3", "k2/1", "k2/2", "k1/4")
	office.selected(hubapi.Pull{Max: 10, Types: []string{event.TypeStarted}})
	office.selected(hubapi.Pull{Max: 10, Domains: []string{"test"}}) // these events have no holder
	first := office.selected(hubapi.Pull{Max: 1, Kiosks: []string{"k2"}}, "k2/1")
	second := office.selected(hubapi.Pull{Max: 10, Kiosks: []string{"k2"}, After: first}, "k2/2")
	office.selected(hubapi.Pull{Max: 10, After: first}, "k2/2", "k1/4")
	office.pulled(10, "k1/1", "k1/2", "k1/3", "k2/1", "k2/2", "k1/4") // reading moves no cursor
	office.ack(second)
	office.pulled(10) // second is behind k1/4, which was left out
}

// A consumer reads again from a cursor, from the beginning or from a time.
func TestFeedReplays(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, office := b.kiosk(url, "k1"), b.consumer(url, "office")
	k1.send(k1.events(2), 2)
	office.ack(office.pulled(10, "k1/1", "k1/2"))
	middle := time.Now()
	k1.send(k1.events(1), 3)

	office.selected(hubapi.Pull{Max: 10, After: hubapi.Beginning}, "k1/1", "k1/2", "k1/3")
	office.selected(hubapi.Pull{Max: 10, Since: time.Now().Add(-time.Hour)}, "k1/1", "k1/2", "k1/3")
	after := office.selected(hubapi.Pull{Max: 10, Since: middle}, "k1/3")
	end := office.selected(hubapi.Pull{Max: 10, Since: time.Now().Add(time.Hour)})
	if end != after {
		t.Errorf("the end of the feed is %q and %q", after, end)
	}
	office.pulled(10, "k1/3")
}

// A pull with a filter goes on waiting after an event that does not match.
func TestFeedWaitsForWhatItSelects(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, k2, office := b.kiosk(url, "k1"), b.kiosk(url, "k2"), b.consumer(url, "office")
	answers := make(chan []string)
	go func() {
		events, _, err := office.Pull(t.Context(), "office", hubapi.Pull{Max: 10, Wait: 30 * time.Second, Kiosks: []string{"k2"}})
		if err != nil {
			t.Error(err)
		}
		answers <- office.places(events)
	}()
	b.waitForReader()
	k1.send(k1.events(1), 1)
	b.waitForReader()
	k2.send(k2.events(1), 1)
	if got := <-answers; !slices.Equal(got, []string{"k2/1"}) {
		t.Errorf("got %v", got)
	}
}

// The hub refuses a place that is not in its feed.
func TestFeedRefusesPlaces(t *testing.T) {
	b := newBed(t)
	office := b.consumer(b.serve(), "office")
	for after, status := range map[string]int{"x": http.StatusBadRequest, "99@x": http.StatusConflict} {
		_, _, err := office.Pull(t.Context(), "office", hubapi.Pull{Max: 1, After: after})
		if p, ok := errors.AsType[*hubapi.Problem](err); !ok || p.Status != status {
			t.Errorf("%s: %v, want status %d", after, err, status)
		}
	}
}

func TestFilter(t *testing.T) {
	visit := `{"type":"smartkiosk.visit.v1","source":"urn:smartkiosk:kiosk:k1","data":{"holder":{"domain":"buypass"}}}`
	review := `{"type":"smartkiosk.review.v1","source":"urn:smartkiosk:hub","data":{"kiosk":"k1"}}`
	for _, c := range []struct {
		p                hubapi.Pull
		ofVisit, ofCheck bool
	}{
		{hubapi.Pull{}, true, true},
		{hubapi.Pull{Kiosks: []string{"k1"}}, true, true},
		{hubapi.Pull{Kiosks: []string{"k2"}}, false, false},
		{hubapi.Pull{Types: []string{"smartkiosk.review.v1"}}, false, true},
		{hubapi.Pull{Domains: []string{"other", "buypass"}}, true, false},
		{hubapi.Pull{Domains: []string{"buypass"}, Kiosks: []string{"k2"}}, false, false},
	} {
		f := newFilter(c.p)
		if f.matches([]byte(visit)) != c.ofVisit || f.matches([]byte(review)) != c.ofCheck {
			t.Errorf("%+v: visit %v, review %v", c.p, !c.ofVisit, !c.ofCheck)
		}
		if !f.matches([]byte(`{"type":7`)) {
			t.Errorf("%+v hides an event that cannot be read", c.p)
		}
	}
}
