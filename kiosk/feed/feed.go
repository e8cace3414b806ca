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
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"smartkiosk/kiosk/protocol/apihttp"
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
		p, err := apihttp.ReadPull(r)
		if err != nil {
			return err
		}
		return pull(r.Context(), w, o, o.Cursor(consumer), p)
	})
	handle("POST /v1/feed/{consumer}/ack", func(w http.ResponseWriter, r *http.Request, consumer string) error {
		text, err := apihttp.ReadCursor(r)
		if err != nil {
			return err
		}
		cursor, err := strconv.ParseUint(text, 10, 64)
		if err != nil || cursor > o.Position().Last {
			return apihttp.BadCursor()
		}
		if err := o.Advance(consumer, cursor); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
	return mux
}

// identify returns the consumer that the client's certificate names. The
// request must be for its own feed.
func identify(r *http.Request) (string, error) {
	cert, err := apihttp.Certificate(r)
	if err != nil {
		return "", err
	}
	id, err := apihttp.Identify(cert, hubapi.RoleConsumer)
	if err != nil {
		return "", err
	}
	return id.Name, apihttp.CheckConsumer(r, id)
}

// pull answers with the events after a sequence number. If there is none, it
// waits for the first.
func pull(ctx context.Context, w http.ResponseWriter, o Outbox, after uint64, p apihttp.Pull) error {
	ctx, cancel := context.WithTimeout(ctx, p.Wait)
	defer cancel()
	for {
		changed := o.Changed() // before Records, so that no event is missed
		records, err := o.Records(after, p.Max)
		if err != nil {
			return err
		}
		if len(records) > 0 || ctx.Err() != nil {
			b, last := apihttp.Batch{Max: p.Max}, after
			for _, r := range records {
				if !b.Add(r.Data) {
					break
				}
				last = r.Sequence
			}
			b.Write(w, strconv.FormatUint(last, 10))
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// refuse answers with the problem that err is. Any other error is the kiosk's
// own: the client learns only that it happened.
func refuse(w http.ResponseWriter, log *slog.Logger, err error) {
	p, ok := errors.AsType[*hubapi.Problem](err)
	if !ok {
		log.Error("cannot serve the outbox", "err", err)
		p = apihttp.Internal()
	}
	apihttp.WriteProblem(w, p)
}
