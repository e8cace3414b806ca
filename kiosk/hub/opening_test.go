package hub

import (
	"crypto"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// panickingOpener stands for a bug in a library that opens events.
type panickingOpener struct{}

func (panickingOpener) Open(text []byte, _ ...crypto.PublicKey) (event.Opened, error) {
	if string(text) == `"bad"` {
		panic("index out of range")
	}
	return event.Opened{}, nil
}

// A panic in a worker goroutine ends the request with an error. Without recovery it
// would end the whole hub.
func TestPanicWhileOpeningEndsTheRequest(t *testing.T) {
	var s scheduler
	for range 3 { // the scheduler is not left with an event that is never closed
		o := startOpening(panickingOpener{}, nil, &s, slog.New(slog.DiscardHandler))
		for _, text := range []string{`"good"`, `"bad"`, `"good"`} {
			o.add(json.RawMessage(text))
		}
		opened, err := o.finish()
		if _, ok := err.(panicError); !ok || len(opened) != 1 {
			t.Errorf("opened %d events, then %v; want 1 event, then a panicError", len(opened), err)
		}
	}
	// The kiosk gets a refusal of the one event, not a status 500 for which it would send
	// the batch again for ever. It learns nothing of the hub's inside.
	_, refusal := check("k1", nil, panicError{"index out of range"})
	if refusal == nil || refusal.Type != hubapi.KindEvent || *refusal.Event != 0 || strings.Contains(refusal.Detail, "range") {
		t.Errorf("the kiosk gets %+v", refusal)
	}
	if s.opening != 0 {
		t.Errorf("%d events are still being opened", s.opening)
	}
}
