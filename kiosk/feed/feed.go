// Package feed gives the events of one kiosk straight from its outbox, so that
// a backend on the same network needs no hub in between, and a technician sees
// what there is. The events are as they were sealed: only who has the hub's
// sealing key reads more of them than when they were.
//
// Consumers pull as they do from the hub: GET /v1/feed/{consumer}?max=&wait=
// and POST /v1/feed/{consumer}/ack, by mutual TLS (see Consumers). Each has a
// cursor of its own, which is the sequence number of an event. What everybody
// has who must is deleted in time; a consumer for whom nothing is held, and
// who stays away for long, finds a gap in the sequence.
package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/store"
)

// Outbox holds the events. The data of each record is a CloudEvent in JSON.
type Outbox interface {
	// Records gives up to limit events after a sequence number, in order.
	Records(after uint64, limit int) ([]store.Record, error)
	// Parked gives those that the hub would not take.
	DeadLetters() ([]store.Record, error)
	Position() store.Position
	// Changed gives a channel that is closed when an event is added.
	Changed() <-chan struct{}
	// Cursor is the newest event that a consumer has dealt with; Advance
	// moves it forward, never back, and fails beyond the newest event.
	Cursor(consumer string) uint64
	Advance(consumer string, through uint64) error
}

// Consumers serves the feed to those whose client certificate names them a
// consumer (see hubapi.IdentityOf), each its own.
func Consumers(o Outbox, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(w http.ResponseWriter, r *http.Request, consumer string) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			consumer, err := identify(r)
			if err == nil {
				err = f(w, r, consumer)
			}
			if err != nil {
				refuse(w, log, err)
			}
		})
	}
	handle("GET /v1/feed/{consumer}", func(w http.ResponseWriter, r *http.Request, consumer string) error {
		most, wait, err := bounds(r.URL.Query())
		if err != nil {
			return err
		}
		return pull(r.Context(), w, o, o.Cursor(consumer), most, wait)
	})
	handle("POST /v1/feed/{consumer}/ack", func(w http.ResponseWriter, r *http.Request, consumer string) error {
		cursor, err := readCursor(w, r)
		if err != nil {
			return err
		}
		if cursor > o.Position().Last {
			return malformed("the cursor is none of this feed")
		}
		if err := o.Advance(consumer, cursor); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
	return mux
}

// identify gives the consumer that the certificate names, whose feed it must
// be. The certificate was verified in the handshake.
func identify(r *http.Request) (string, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return "", forbidden("a client certificate is required")
	}
	id, err := hubapi.IdentityOf(r.TLS.PeerCertificates[0])
	switch {
	case err != nil:
		return "", forbidden(err.Error())
	case id.Role != hubapi.RoleConsumer:
		return "", forbidden("not for a " + string(id.Role))
	case id.Name != r.PathValue("consumer"):
		return "", forbidden("the feed of another consumer")
	}
	return id.Name, nil
}

// pull answers with the events after a place, and waits for the first if there
// is none.
func pull(ctx context.Context, w http.ResponseWriter, o Outbox, after uint64, most int, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		changed := o.Changed() // before the look at what there is
		records, err := o.Records(after, most)
		if err != nil {
			return err
		}
		if len(records) > 0 || ctx.Err() != nil {
			body, last := encode(records, after)
			w.Header().Set(hubapi.CursorHeader, strconv.FormatUint(last, 10))
			write(w, http.StatusOK, hubapi.MediaEvents, body)
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// encode gives events as a JSON array of at most hubapi.MaxEventsBody bytes,
// and the sequence number of the last that is in it.
func encode(records []store.Record, after uint64) (body []byte, last uint64) {
	body, last = []byte("["), after
	for i, r := range records {
		if i > 0 && len(body)+len(r.Data)+len(",]") > hubapi.MaxEventsBody {
			break
		}
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, r.Data...)
		last = r.Sequence
	}
	return append(body, ']'), last
}

func bounds(query url.Values) (most int, wait time.Duration, err error) {
	most, err = number(query, "max", 1, hubapi.MaxEvents, hubapi.DefaultFeedBatch)
	if err != nil {
		return 0, 0, err
	}
	seconds, err := number(query, "wait", 0, int(hubapi.MaxWait/time.Second), 0)
	return most, time.Duration(seconds) * time.Second, err
}

func number(query url.Values, name string, least, most, otherwise int) (int, error) {
	if !query.Has(name) {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(query.Get(name), 10, 16)
	if err != nil || int(n) < least || int(n) > most {
		return 0, malformed(fmt.Sprintf("%s must be a number from %d to %d", name, least, most))
	}
	return int(n), nil
}

func readCursor(w http.ResponseWriter, r *http.Request) (uint64, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return 0, problem(http.StatusUnsupportedMediaType, hubapi.KindMedia, "wrong media type", "the body must be application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, hubapi.MaxRequestBody))
	if err != nil {
		return 0, malformed("the body cannot be read to its end")
	}
	var in hubapi.FeedAcknowledgement
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return 0, malformed("the body is no acknowledgement")
	}
	cursor, err := strconv.ParseUint(in.Cursor, 10, 64)
	if err != nil {
		return 0, malformed("the cursor is none of this feed")
	}
	return cursor, nil
}

func problem(status int, kind hubapi.Kind, title, detail string) *hubapi.Problem {
	return &hubapi.Problem{Type: kind, Title: title, Status: status, Detail: detail}
}

func malformed(detail string) error {
	return problem(http.StatusBadRequest, hubapi.KindMalformed, "malformed request", detail)
}

func forbidden(detail string) error {
	return problem(http.StatusForbidden, hubapi.KindForbidden, "forbidden", detail)
}

// refuse answers with the problem that err is. What is not one is the kiosk's
// own trouble.
func refuse(w http.ResponseWriter, log *slog.Logger, err error) {
	p, ok := errors.AsType[*hubapi.Problem](err)
	if !ok {
		log.Error("cannot serve the outbox", "err", err)
		p = problem(http.StatusInternalServerError, hubapi.KindInternal, "internal error", "")
	}
	body, err := json.Marshal(p)
	if err != nil {
		body = nil
	}
	write(w, p.Status, hubapi.MediaProblem, body)
}

// write sends an answer. That the client may be gone by now is not an error:
// it will ask again.
func write(w http.ResponseWriter, status int, media string, body []byte) {
	w.Header().Set("Content-Type", media)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
