package login

import (
	"context"

	"smartkiosk/kiosk/hub/broker"
)

// A login on the broker's hosted page, in the kiosk's own browser. The kiosk begins it and
// brings the broker's answer, both over its mutual TLS. So the person is known to be in
// front of this kiosk, and types no digits.

// BeginPage begins a login on the hosted page. The kiosk's browser goes to address, and the
// kiosk takes the broker's answer from it when it goes to Callback. An earlier login of the
// same kiosk ends. If the broker refuses, the login has ended with the reason.
func (s *Service) BeginPage(ctx context.Context, kioskID, visit, language string) (r Record, address string, err error) {
	r, client, err := s.make(ctx, kioskID, visit, language)
	if err != nil {
		return Record{}, "", err
	}
	r.Page = true
	r.enter(Opened, s.Now(), openedTime)
	if err := s.keep(ctx, r); err != nil {
		return Record{}, "", err
	}
	flow, address, err := client.Begin(ctx, r.Language)
	if err != nil {
		r, err = s.refused(ctx, r.ID, err)
		return r, "", err
	}
	r, err = s.change(ctx, r.ID, func(r *Record) error {
		if r.State != Opened {
			return errUnchanged
		}
		r.Flow = flow
		return nil
	})
	if err != nil || r.State != Opened {
		return r, "", err
	}
	return r, address, nil
}

// Callback returns the redirect URL of a login, without a query.
func (s *Service) Callback() string { return s.Brokers.Public.URL + broker.CallbackPath }

// Answer ends a login on the hosted page with the broker's answer, the query of the
// callback. The login is then over: with an answer that is not for it, too.
func (s *Service) Answer(ctx context.Context, kioskID, id, query string) (Record, error) {
	if _, err := s.of(ctx, kioskID, id); err != nil {
		return Record{}, err
	}
	var flow broker.Flow
	r, err := s.change(ctx, id, func(r *Record) error {
		if !r.Page || r.State != Opened {
			flow = broker.Flow{}
			return errUnchanged // answered before, or too late
		}
		flow = r.Flow
		r.enter(Answering, s.Now(), answeringTime)
		return nil
	})
	if err != nil || flow.State == "" {
		return r, err
	}
	in, err := broker.ReadCallback(query)
	if err != nil {
		return s.refused(ctx, id, err)
	}
	person, err := s.finish(ctx, r.Broker, flow, in)
	if err != nil {
		return s.refused(ctx, id, err)
	}
	r, err = s.change(ctx, id, func(r *Record) error {
		if r.State != Answering {
			return errUnchanged
		}
		r.Holder, r.Flow = person.Holder, broker.Flow{}
		r.enter(Deciding, s.Now(), decidingTime)
		return nil
	})
	if err != nil || r.State != Deciding {
		return r, err
	}
	return s.decide(ctx, r)
}
