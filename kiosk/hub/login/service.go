package login

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/broker"
)

var tenThousand = big.NewInt(10000)

// Service runs the logins of all kiosks.
type Service struct {
	Bucket  jetstream.KeyValue
	Brokers *broker.Set
	Groups  func(kiosk string) []string // the groups of a kiosk
	// Decide returns the verdict of the rules on a person who has logged in.
	Decide func(ctx context.Context, r Record) (kiosk.Verdict, error)
	Now    func() time.Time
	Rand   io.Reader
	Log    *slog.Logger
}

// Errors of requests of a kiosk.
var (
	ErrUnknown  = errUnknown                                           // no login of this kiosk
	ErrNoBroker = errors.New("no broker is configured for this kiosk") // see broker.Set.For
)

// Languages lists the languages of the pages (BCP 47).
var Languages = []string{"nb", "nn", "se", "en"}

// Begin begins a login by phone at a kiosk. An earlier login of the same kiosk ends.
func (s *Service) Begin(ctx context.Context, kioskID, visit, language string) (Record, error) {
	r, _, err := s.make(ctx, kioskID, visit, language)
	if err != nil {
		return Record{}, err
	}
	r.enter(Waiting, s.Now(), waitingTime)
	for {
		var err error
		if r.Code, err = s.newCode(); err != nil {
			return Record{}, err
		}
		_, err = s.Bucket.Create(ctx, codeKey(r.Code), []byte(r.ID))
		if errors.Is(err, jetstream.ErrKeyExists) {
			continue
		}
		if err != nil {
			return Record{}, err
		}
		break
	}
	return r, s.keep(ctx, r)
}

// make returns the record of a new login, which is not kept yet, and its broker.
func (s *Service) make(ctx context.Context, kioskID, visit, language string) (Record, *broker.Client, error) {
	client := s.Brokers.For(s.Groups(kioskID))
	if client == nil {
		return Record{}, nil, ErrNoBroker
	}
	if err := s.endEarlier(ctx, kioskID); err != nil {
		return Record{}, nil, err
	}
	if !slices.Contains(Languages, language) {
		language = Languages[0]
	}
	id := make([]byte, 16)
	if _, err := io.ReadFull(s.Rand, id); err != nil {
		return Record{}, nil, err
	}
	return Record{
		ID: hex.EncodeToString(id), Kiosk: kioskID, Visit: visit, Language: language,
		Broker: client.Config().Name, Environment: client.Config().Environment,
	}, client, nil
}

// keep stores a new login.
func (s *Service) keep(ctx context.Context, r Record) error {
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := s.Bucket.Create(ctx, loginKey(r.ID), value); err != nil {
		return err
	}
	if _, err := s.Bucket.Put(ctx, kioskKey(r.Kiosk), []byte(r.ID)); err != nil {
		return err
	}
	s.Log.Info("login began", "kiosk", r.Kiosk, "visit", r.Visit, "broker", r.Broker)
	return nil
}

// endEarlier ends the kiosk's login before, which its panel does not show any more.
func (s *Service) endEarlier(ctx context.Context, kioskID string) error {
	entry, err := s.Bucket.Get(ctx, kioskKey(kioskID))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = s.Cancel(ctx, kioskID, string(entry.Value()))
	if errors.Is(err, ErrUnknown) {
		return nil
	}
	return err
}

// Link returns the address that a kiosk shows. It is in upper case, because a QR code of
// upper-case letters is smaller. A login on the kiosk's own page has none.
func (s *Service) Link(r Record) string {
	if r.Page {
		return ""
	}
	return strings.ToUpper(s.Brokers.Public.URL) + "/" + r.Code
}

// Wait returns the kiosk's login when its state is not since, at the latest when ctx ends.
func (s *Service) Wait(ctx context.Context, kioskID, id string, since State) (Record, error) {
	// ctx bounds how long to wait for a change, perhaps not at all, and not the reading.
	r, err := s.of(context.WithoutCancel(ctx), kioskID, id)
	if err != nil || r.State != since || r.State == Ended {
		return r, err
	}
	changes, err := s.Bucket.Watch(ctx, loginKey(id), jetstream.UpdatesOnly())
	if err != nil {
		if ctx.Err() != nil {
			return r, nil
		}
		return Record{}, err
	}
	defer func() { _ = changes.Stop() }()
	for {
		// It may have changed before the watch began.
		now, _, err := s.get(context.WithoutCancel(ctx), id)
		if err != nil || now.State != since {
			return now, err
		}
		select {
		case <-ctx.Done():
			return now, nil
		case <-changes.Updates():
		case <-time.After(max(now.Expires.Sub(s.Now()), time.Millisecond)):
		}
	}
}

// of returns a login of a kiosk.
func (s *Service) of(ctx context.Context, kioskID, id string) (Record, error) {
	r, _, err := s.get(ctx, id)
	if err == nil && r.Kiosk != kioskID {
		return Record{}, errUnknown
	}
	return r, err
}

// Type compares what the person typed on the kiosk with the digits on the phone. If they
// are equal, the rules decide.
func (s *Service) Type(ctx context.Context, kioskID, id, typed string) (Record, error) {
	if _, err := s.of(ctx, kioskID, id); err != nil {
		return Record{}, err
	}
	r, err := s.change(ctx, id, func(r *Record) error {
		switch {
		case r.State != Digits:
			return errUnchanged
		case subtle.ConstantTimeCompare([]byte(typed), []byte(r.Digits)) == 1:
			r.enter(Deciding, s.Now(), decidingTime)
		default:
			if r.Wrong++; r.Wrong == maxWrong {
				r.end(kiosk.Denied, kiosk.LoginDigits)
			}
		}
		return nil
	})
	if err != nil || r.State != Deciding {
		return r, err
	}
	return s.decide(ctx, r)
}

// decide ends a login with the verdict of the rules.
func (s *Service) decide(ctx context.Context, r Record) (Record, error) {
	verdict, err := s.verdict(ctx, r)
	if err != nil {
		return Record{}, err
	}
	return s.change(ctx, r.ID, func(r *Record) error {
		if r.State != Deciding {
			return errUnchanged
		}
		if verdict.Granted {
			r.end(kiosk.Granted, "")
		} else {
			r.end(kiosk.Denied, verdict.Reason)
		}
		return nil
	})
}

// verdict asks the rules, unless the kiosk belongs to the other environment by now.
func (s *Service) verdict(ctx context.Context, r Record) (kiosk.Verdict, error) {
	now := s.Brokers.For(s.Groups(r.Kiosk))
	if now == nil || now.Config().Environment != r.Environment {
		return kiosk.Verdict{Reason: kiosk.LoginSandbox}, nil
	}
	return s.Decide(ctx, r)
}

// Cancel ends a login at the wish of the person at the kiosk.
func (s *Service) Cancel(ctx context.Context, kioskID, id string) (Record, error) {
	if _, err := s.of(ctx, kioskID, id); err != nil {
		return Record{}, err
	}
	return s.cancel(ctx, id, func(*Record) error { return nil })
}

// cancel ends a login if allowed returns no error, and ends what was begun at the broker.
func (s *Service) cancel(ctx context.Context, id string, allowed func(*Record) error) (Record, error) {
	var flow broker.Flow
	r, err := s.change(ctx, id, func(r *Record) error {
		if err := allowed(r); err != nil {
			return err
		}
		if flow = r.Flow; r.State == Ended {
			return errUnchanged
		}
		r.end(kiosk.Cancelled, kiosk.LoginCancelled)
		return nil
	})
	if client := s.Brokers.Client(r.Broker); err == nil && client != nil {
		if err := client.Cancel(ctx, flow); err != nil {
			s.Log.Warn("a login at a broker was not cancelled; it expires", "broker", r.Broker, "err", err)
		}
	}
	return r, err
}
