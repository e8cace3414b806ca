package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	"smartkiosk/kiosk/feed"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/store"
)

// sealed is an event as the kiosk keeps it.
type sealed struct {
	sequence uint64 // its number in the outbox or in the event, or 0 without a number
	text     []byte // a CloudEvent
	state    string // whether the hub has it, "" if unknown
}

// summary is what a source reports in addition to its events.
type summary struct {
	lost   []store.Range // ranges of unreadable events
	damage error         // nil if the source is undamaged
}

// source reads events in order and calls f with each.
type source interface {
	each(ctx context.Context, f func(sealed) error) (summary, error)
}

// openSource returns the source at path. The type of the file decides which kind it is.
func openSource(path string) (source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode()&os.ModeSocket != 0 {
		return liveKiosk(path), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 1)
	if _, err := io.ReadFull(f, head); err == nil && head[0] == '[' {
		return exported(path), nil
	}
	return outboxFile(path), nil
}

func commaList(s string) []string { return strings.Split(s, ",") }

// state returns whether the hub has an event, in words.
func state(sequence, acked uint64) string {
	if sequence <= acked {
		return "has it"
	}
	return "waits"
}

// outboxFile is a copy of an outbox, whole or damaged.
type outboxFile string

func (path outboxFile) each(_ context.Context, f func(sealed) error) (summary, error) {
	var found []sealed // acked is only known at the end
	flush := func(acked uint64) error {
		for _, e := range found {
			e.state = state(e.sequence, acked)
			if err := f(e); err != nil {
				return err
			}
		}
		return nil
	}
	x, err := store.Inspect(string(path), func(r store.Record) error {
		found = append(found, sealed{sequence: r.Sequence, text: r.Data})
		return nil
	})
	if err != nil {
		return summary{}, err
	}
	return summary{lost: x.Lost, damage: x.Damage}, flush(x.Acked)
}

// exported is a file with the output of "kioskctl events export".
type exported string

func (path exported) each(_ context.Context, f func(sealed) error) (summary, error) {
	text, err := os.ReadFile(string(path))
	if err != nil {
		return summary{}, err
	}
	var events []json.RawMessage
	if err := json.Unmarshal(text, &events); err != nil {
		return summary{}, errors.New("it is no JSON array of events")
	}
	for _, e := range events {
		h, _ := event.Peek(e)
		if err := f(sealed{sequence: h.Sequence, text: e}); err != nil {
			return summary{}, err
		}
	}
	return summary{}, nil
}

// liveKiosk is the socket of a running kioskd.
type liveKiosk string

func (path liveKiosk) each(ctx context.Context, f func(sealed) error) (summary, error) {
	var s feed.State
	if err := path.get(ctx, "/v1/outbox", &s); err != nil {
		return summary{}, err
	}
	for after := s.First - 1; after < s.Last; {
		var events []json.RawMessage
		if err := path.get(ctx, fmt.Sprintf("/v1/events?max=%d&after=%d", hubapi.DefaultFeedBatch, after), &events); err != nil {
			return summary{}, err
		}
		if len(events) == 0 {
			return summary{}, fmt.Errorf("event %d is not there any more", after+1)
		}
		for _, e := range events {
			after++
			if h, err := event.Peek(e); err == nil && h.Sequence > after {
				after = h.Sequence // the events in between were deleted meanwhile
			}
			if err := f(sealed{after, bytes.TrimSpace(e), state(after, s.Acked)}); err != nil {
				return summary{}, err
			}
		}
	}
	return summary{}, nil
}

func (path liveKiosk) get(ctx context.Context, what string, into any) error {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", string(path))
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://kioskd"+what, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("kioskd answers %s", response.Status)
	}
	return json.Unmarshal(body, into)
}
