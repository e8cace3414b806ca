// Package feed serves the events of one kiosk directly from its outbox. A
// backend on the same network then needs no hub in between, and a technician
// can list the stored events. The events stay sealed: without the hub's sealing
// key, a reader learns little more than their times.
//
// Consumers pull as they do from the hub: GET /v1/feed/{consumer}?max=&wait=
// and POST /v1/feed/{consumer}/ack, by mutual TLS (see Consumers). Each has a
// cursor of its own, which is the sequence number of an event. The outbox
// deletes events after every required consumer has acknowledged them. A
// consumer that is not required and stays away for long finds a gap in the
// sequence.
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
	// Records returns up to limit events after a sequence number, in order.
	Records(after uint64, limit int) ([]store.Record, error)
	// DeadLetters returns the events that the hub refused.
	DeadLetters() ([]store.Record, error)
	Position() store.Position
	// Changed returns a channel that is closed when an event is added.
	Changed() <-chan struct{}
	// Cursor returns the newest event that a consumer has acknowledged.
	// Advance moves it forward, never back, and fails beyond the newest
	// event.
	Cursor(consumer string) uint64
	Advance(consumer string, through uint64) error
}

// Consumers serves the feed to clients whose certificate names a consumer (see
// hubapi.IdentityOf). Each consumer may read only its own feed.
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

// pull writes up to p.Max events after a sequence number to w. If the outbox
// has no such event, pull waits for the first, for at most p.Wait.
func pull(ctx context.Context, w http.ResponseWriter, o Outbox, after uint64, p hubapi.Pull) error {
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

// refuse answers with err if it is a hubapi.Problem. Any other error is a fault
// of the kiosk: refuse logs it and tells the client only that it happened.
func refuse(w http.ResponseWriter, log *slog.Logger, err error) {
	p, ok := errors.AsType[*hubapi.Problem](err)
	if !ok {
		log.Error("cannot serve the outbox", "err", err)
		p = apihttp.Internal()
	}
	apihttp.WriteProblem(w, p)
}
