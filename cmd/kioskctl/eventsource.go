//go:build linux

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
	"strconv"
	"strings"

	"smartkiosk/kiosk/feed"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/store"
)

// sealed is an event as the kiosk keeps it.
type sealed struct {
	event.Header        // as it claims; the zero value if text is no event
	position     uint64 // its number in the outbox, which counts across epochs; 0 without a number
	text         []byte // a CloudEvent
	state        string // whether the hub has it, "" if unknown
}

func newSealed(position uint64, text []byte, state string) sealed {
	h, _ := event.Peek(text)
	return sealed{h, position, text, state}
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
func state(position, acked uint64) string {
	if position <= acked {
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
			e.state = state(e.position, acked)
			if err := f(e); err != nil {
				return err
			}
		}
		return nil
	}
	x, err := store.Inspect(string(path), func(r store.Record) error {
		found = append(found, newSealed(r.Sequence, r.Data, ""))
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
		if err := f(newSealed(0, e, "")); err != nil {
			return summary{}, err
		}
	}
	return summary{}, nil
}

// liveKiosk is the socket of a running kioskd.
type liveKiosk string

func (path liveKiosk) each(ctx context.Context, f func(sealed) error) (summary, error) {
	var s feed.State
	if _, err := path.get(ctx, "/v1/outbox", &s); err != nil {
		return summary{}, err
	}
	for after := s.First - 1; after < s.Last; {
		var events []json.RawMessage
		cursor, err := path.get(ctx, fmt.Sprintf("/v1/events?max=%d&after=%d", hubapi.DefaultFeedBatch, after), &events)
		if err != nil {
			return summary{}, err
		}
		last, err := strconv.ParseUint(cursor, 10, 64)
		if err != nil || len(events) == 0 {
			return summary{}, fmt.Errorf("event %d is not there any more", after+1)
		}
		for i, e := range events {
			position := last - uint64(len(events)-1-i)
			if err := f(newSealed(position, bytes.TrimSpace(e), state(position, s.Acked))); err != nil {
				return summary{}, err
			}
		}
		after = last
	}
	return summary{}, nil
}

// get decodes an answer of kioskd, and returns its cursor.
func (path liveKiosk) get(ctx context.Context, what string, into any) (cursor string, err error) {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", string(path))
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://kioskd"+what, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("kioskd answers %s", response.Status)
	}
	return response.Header.Get(hubapi.CursorHeader), json.Unmarshal(body, into)
}
