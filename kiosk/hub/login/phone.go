package login

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/broker"
)

// Errors of requests of a phone.
var (
	errOtherPhone = errors.New("another phone has opened this login")
	errForeign    = errors.New("the callback does not belong to a login of this phone")
)

func digest(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// is reports whether the login is bound to the phone with this cookie.
func (r *Record) is(secret string) bool {
	return len(r.Phone) > 0 && subtle.ConstantTimeCompare(r.Phone, digest(secret)) == 1
}

// open binds a login to a phone, or begins again at the broker if it is bound to this
// phone. The browser goes to address.
func (s *Service) open(ctx context.Context, id, secret, language string) (address string, r Record, err error) {
	r, err = s.change(ctx, id, func(r *Record) error {
		switch {
		case r.State == Waiting:
			r.Phone, r.Language = digest(secret), language
			r.enter(Opened, s.Now(), openedTime)
		case r.Phone != nil && !r.is(secret):
			return errOtherPhone
		default:
			return errUnchanged
		}
		return nil
	})
	if err != nil || r.State != Opened {
		return "", r, err
	}
	if _, err := s.Bucket.Put(ctx, phoneKey(secret), []byte(id)); err != nil {
		return "", r, err
	}
	client := s.Brokers.Client(r.Broker)
	if client == nil {
		r, err = s.refused(ctx, id, &broker.Refusal{Reason: kiosk.LoginRefused, Err: ErrNoBroker})
		return "", r, err
	}
	flow, address, err := client.Begin(ctx, language)
	if err != nil {
		r, err = s.refused(ctx, id, err)
		return "", r, err
	}
	r, err = s.change(ctx, id, func(r *Record) error {
		if r.State != Opened || !r.is(secret) {
			return errUnchanged
		}
		r.Flow = flow
		return nil
	})
	if err != nil || r.State != Opened {
		address = ""
	}
	return address, r, err
}

// refused ends a login for the reason of an error of the broker. Any other error is
// returned.
func (s *Service) refused(ctx context.Context, id string, err error) (Record, error) {
	refusal, ok := errors.AsType[*broker.Refusal](err)
	if !ok {
		return Record{}, err
	}
	r, err := s.change(ctx, id, func(r *Record) error {
		if r.State == Ended {
			return errUnchanged
		}
		r.end(broker.OutcomeOf(refusal.Reason), refusal.Reason)
		return nil
	})
	s.Log.Info("login refused", "kiosk", r.Kiosk, "visit", r.Visit, "broker", r.Broker, "reason", refusal.Reason, "err", refusal.Err)
	return r, err
}

// callback ends the part at the broker. A callback that is not for the present flow
// changes nothing. Only one of several equal callbacks is used.
func (s *Service) callback(ctx context.Context, id, secret, query string) (Record, error) {
	in, err := broker.ReadCallback(query)
	if err != nil {
		return Record{}, errForeign
	}
	var flow broker.Flow
	r, err := s.change(ctx, id, func(r *Record) error {
		switch {
		case !r.is(secret):
			return errForeign
		case r.State != Opened:
			flow = broker.Flow{}
			return errUnchanged // a reload, or too late: the page says how the login is
		case !in.IsFor(r.Flow):
			return errForeign
		}
		flow = r.Flow
		r.enter(Answering, s.Now(), answeringTime)
		return nil
	})
	if err != nil || flow.State == "" {
		return r, err
	}
	person, err := s.finish(ctx, r.Broker, flow, in)
	if err != nil {
		return s.refused(ctx, id, err)
	}
	digits, err := s.newDigits()
	if err != nil {
		return Record{}, err
	}
	return s.change(ctx, id, func(r *Record) error {
		if r.State != Answering {
			return errUnchanged
		}
		r.Holder, r.Digits, r.Flow = person.Holder, digits, broker.Flow{}
		r.enter(Digits, s.Now(), digitsTime)
		return nil
	})
}

// finish asks the broker who has logged in.
func (s *Service) finish(ctx context.Context, name string, flow broker.Flow, in broker.Callback) (broker.Person, error) {
	client := s.Brokers.Client(name)
	if client == nil {
		return broker.Person{}, &broker.Refusal{Reason: kiosk.LoginRefused, Err: ErrNoBroker}
	}
	return client.Finish(ctx, flow, in)
}

// giveUp ends a login at the wish of the person with the phone.
func (s *Service) giveUp(ctx context.Context, id, secret string) (Record, error) {
	return s.cancel(ctx, id, func(r *Record) error {
		if r.Phone != nil && !r.is(secret) {
			return errOtherPhone
		}
		return nil
	})
}

// byPhone returns the login that a phone is bound to.
func (s *Service) byPhone(ctx context.Context, secret string) (Record, error) {
	entry, err := s.Bucket.Get(ctx, phoneKey(secret))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Record{}, errForeign
	}
	if err != nil {
		return Record{}, err
	}
	r, _, err := s.get(ctx, string(entry.Value()))
	if errors.Is(err, errUnknown) {
		err = errForeign
	}
	return r, err
}
