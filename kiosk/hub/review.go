package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/rules"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/trust"
)

// A kiosk that decided alone may have been wrong: what it knew of revocation was
// old, and it may have been tampered with. So the hub judges each such visit
// again when its event arrives, and writes down, in the same stream, whether it
// would have said the same. Events are looked at behind the intake, one after the
// other, by one of the hubs at a time: a responder that is slow holds up no kiosk.

const (
	reviewsSubject = "smartkiosk.reviews." // + the kiosk's id
	reviewer       = "smartkiosk-reviewer"

	reviewTime  = 20 * time.Second // for one event
	reviewRetry = 5 * time.Second
)

// arrived is what is read of an event in the stream.
type arrived struct {
	ID       string      `json:"id"`
	Source   string      `json:"source"`
	Type     string      `json:"type"`
	Time     time.Time   `json:"time"`
	Sequence uint64      `json:"sequence,string"`
	Data     event.Visit `json:"data"`
}

// review judges what arrives until ctx ends.
func (h *Hub) review(ctx context.Context) {
	var t trouble
	for ctx.Err() == nil {
		if err := h.reviewAll(ctx, &t); err != nil && ctx.Err() == nil {
			h.log.Error("cannot judge visits again", "err", err, "retry_in", reviewRetry)
			select {
			case <-time.After(reviewRetry):
			case <-ctx.Done():
			}
		}
	}
}

func (h *Hub) reviewAll(ctx context.Context, t *trouble) error {
	consumer, err := h.events.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable:       reviewer,
		FilterSubject: eventsSubject + "*",
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       2 * reviewTime,
		MaxAckPending: 1, // each kiosk's in their order
	})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(1))
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, messages.Stop)()
	defer messages.Stop()
	for {
		msg, err := messages.Next()
		if err != nil {
			return err
		}
		if err := h.reviewMessage(ctx, msg, t); err != nil {
			return errors.Join(err, msg.NakWithDelay(reviewRetry))
		}
		if err := msg.Ack(); err != nil {
			return err
		}
	}
}

// reviewMessage judges the events of a message, one after the other. When it
// fails all of them come again, but none is judged twice.
func (h *Hub) reviewMessage(ctx context.Context, msg jetstream.Msg, t *trouble) error {
	about, err := msg.Metadata()
	if err != nil {
		return err
	}
	place := about.Sequence.Stream
	events := readMessage(msg.Data())
	for i, text := range events {
		if !h.concerns(text) {
			continue
		}
		reviewing, cancel := context.WithTimeout(ctx, reviewTime)
		err := h.reviewOne(reviewing, strings.TrimPrefix(msg.Subject(), eventsSubject), text)
		cancel()
		if err != nil && ctx.Err() == nil && t.enough(position{place, uint64(i + 1)}, err) {
			h.log.Error("visit is not judged again", "subject", msg.Subject(), "place", place, "index", i, "err", err)
			err = nil
		}
		if err == nil && i < len(events)-1 {
			err = msg.InProgress() // there is AckWait for each event
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// concerns tells whether there may be anything to do about an event. Most of a
// long backlog is passed over here.
func (h *Hub) concerns(text []byte) bool {
	of := event.Members(text, "type", "data")
	if string(of[0]) != `"`+event.TypeVisit+`"` {
		return false
	}
	return h.known != nil || string(event.Members(of[1], "offline")[0]) != "false"
}

// reviewTries is how often a hub looks at an event that cannot be judged, not
// even as not to be judged. Those behind it wait meanwhile.
const reviewTries = 10

// trouble is the event that could not be judged last.
type trouble struct {
	at    position
	times int
}

// enough tells whether an event that could not be judged is left aside for good.
func (t *trouble) enough(at position, err error) bool {
	if errors.As(err, new(storeError)) {
		return false
	}
	if t.at != at {
		*t = trouble{at: at}
	}
	t.times++
	return t.times >= reviewTries
}

// reviewOne judges one event, if it is of a visit that was judged by a kiosk.
// An event that is delivered twice is judged once.
func (h *Hub) reviewOne(ctx context.Context, kioskID string, message []byte) error {
	var e arrived
	if err := json.Unmarshal(message, &e); err != nil {
		// It opened, so that it is of a newer version or another type.
		h.log.Debug("event cannot be judged again", "kiosk", kioskID)
		return nil
	}
	if e.Type != event.TypeVisit {
		return nil
	}
	if !event.Reviewed(e.Data) {
		return h.remember(ctx, kioskID, e)
	}
	last, err := h.lastReview(ctx, kioskID)
	if err != nil || last.sequence >= e.Sequence {
		return err
	}
	review, err := h.judgeAgain(ctx, kioskID, e)
	if err != nil {
		return err
	}
	id, err := event.NewID(h.now(), h.rand)
	if err != nil {
		return err
	}
	text, err := event.ByTheHub(id, event.TypeReview, h.now(), review)
	if err != nil {
		return err
	}
	_, err = h.publishOne(ctx, reviewsSubject+kioskID, last.place, text)
	if errors.Is(err, errOvertaken) {
		return nil // another hub wrote it
	}
	if err == nil && !review.Agrees {
		h.log.Warn("kiosk decided otherwise than the hub would have", "kiosk", kioskID, "visit", review.Visit,
			"outcome", review.Outcome, "verdict", review.Verdict, "reason", review.Reason)
	}
	return err
}

// lastReview gives the kiosk's event that was judged last: its sequence and the
// review's place in the stream.
func (h *Hub) lastReview(ctx context.Context, kioskID string) (stored, error) {
	msg, err := h.events.GetLastMsgForSubject(ctx, reviewsSubject+kioskID)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return stored{}, nil
	}
	if err != nil {
		return stored{}, storeError{err}
	}
	var r struct {
		Data event.Review `json:"data"`
	}
	if err := json.Unmarshal(msg.Data, &r); err != nil {
		return stored{}, fmt.Errorf("cannot read the stream at %d: %w", msg.Sequence, err)
	}
	return stored{place: msg.Sequence, sequence: r.Data.Sequence}, nil
}

// judgeAgain judges for the time of the visit, but by what is known now of
// revocation: a certificate that was reported lost since may have been in other
// hands then. The operator's rules count as they are now, at the visit's hour;
// the operator's own system is not asked, for nobody stands at the door any more.
func (h *Hub) judgeAgain(ctx context.Context, kioskID string, e arrived) (event.Review, error) {
	v, now := e.Data, h.now()
	at := e.Time
	if v.Basis != nil && !v.Basis.Time.IsZero() {
		at = v.Basis.Time
	}
	if at.After(now) {
		at = now
	}
	r := event.Review{
		Kiosk: kioskID, Event: e.ID, Sequence: e.Sequence, Visit: v.Visit, Outcome: v.Outcome, Verdict: kiosk.Denied,
	}
	if v.Evidence.Nonce == "" {
		r.Reason = kiosk.NonceUnknown
		r.Agrees = r.Verdict == v.Outcome
		return r, nil
	}
	proof, err := h.config.Trust.Prove(ctx, v.Evidence.Token, v.Evidence.Nonce, at, now)
	if refusal, ok := errors.AsType[*trust.Refusal](err); ok {
		r.Reason = refusal.Reason
	} else if err != nil {
		return r, err
	} else if d := h.rules.Rules().Decide(rules.Case{Subject: proof.Holder.ID, Domain: proof.Holder.Domain, Kiosk: kioskID, At: at}); !d.Allowed {
		r.Reason = d.Reason
	} else {
		r.Verdict = kiosk.Granted
	}
	r.Agrees = r.Verdict == v.Outcome
	if r.Agrees && v.Outcome == kiosk.Granted && (v.Holder == nil || *v.Holder != proof.Holder) {
		r.Agrees = false // somebody else was let in
	}
	return r, nil
}
