package hub

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/rules"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/trust"
)

// A kiosk that decided offline may have been wrong: its CRL was old, or somebody has
// tampered with it. So the hub reviews each such visit when its event arrives, and records
// in the same stream whether it would have decided the same. A disagreement about
// somebody who was let in, and evidence that an honest kiosk never writes, raise an alarm.
//
// Reviews run after events are stored, one after the other, on one hub at a time, so that
// a slow OCSP responder does not delay any kiosk.

const (
	reviewsSubject = "smartkiosk.reviews." // + the rest of the subject of the event
	reviewer       = "smartkiosk-reviewer"

	reviewTime  = 20 * time.Second // for one event
	reviewRetry = 5 * time.Second

	// reviewsReader is the name of the reviews among the readers of the stream. It is not a
	// valid name of a consumer. Their cursor in the bucket identifies the stream; it may be
	// reviewNotes older than the place of the consumer in JetStream.
	reviewsReader = "hub.reviews"
	reviewNotes   = 10 * time.Second

	// evidenceBucket maps the nonce of each offline verdict to the ID of its event, so
	// that evidence that is used twice is recognised.
	evidenceBucket = "smartkiosk-evidence"
	evidenceMemory = 400 * 24 * time.Hour

	// maxJudgedSkew is how far the time for which a kiosk judged a certificate may be
	// from the time of its event.
	maxJudgedSkew = 15 * time.Minute
)

// What an honest kiosk never does: the values of event.Review.Problem.
const (
	problemNoEvidence   = "no-evidence"   // a decision without the token, the nonce or the time
	problemNonceUsed    = "nonce-used"    // the nonce is that of another visit
	problemNonceForeign = "nonce-foreign" // the nonce was made for another kiosk
	problemTime         = "time"          // judged for a time far from the event's
	problemReason       = "reason"        // a reason that does not fit an offline decision
)

// storedVisit is the part of a stored event that a review needs.
type storedVisit struct {
	ID           string      `json:"id"`
	Type         string      `json:"type"`
	Time         time.Time   `json:"time"`
	Epoch        string      `json:"epoch"`
	Sequence     uint64      `json:"sequence,string"`
	ClockTrusted bool        `json:"clocktrusted"`
	Data         event.Visit `json:"data"`
}

// attachReviews opens what reviews store, or creates it.
func (h *Hub) attachReviews(ctx context.Context) (err error) {
	h.evidence, err = h.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: evidenceBucket, Storage: jetstream.FileStorage, TTL: evidenceMemory,
	})
	return err
}

// review reviews new events until ctx ends.
func (h *Hub) review(ctx context.Context) {
	var f reviewFailures
	for ctx.Err() == nil {
		reading, cancel := h.keeper.untilReplaced(ctx)
		err := h.reviewAll(reading, &f)
		replaced := reading.Err() != nil
		cancel()
		if err != nil && !replaced {
			h.log.Error("cannot review visits", "err", err, "retry_in", reviewRetry)
			select {
			case <-time.After(reviewRetry):
			case <-ctx.Done():
			}
		}
	}
}

func (h *Hub) reviewAll(ctx context.Context, f *reviewFailures) error {
	consumer, err := h.reviewer(ctx)
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(1))
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, messages.Stop)()
	defer messages.Stop()
	var done cursor // of the last message, and not noted yet
	for noted := time.Now(); ; {
		msg, err := messages.Next(jetstream.NextMaxWait(reviewNotes))
		if err != nil && !errors.Is(err, nats.ErrTimeout) {
			return err
		}
		if msg != nil {
			if err := h.reviewMessage(ctx, msg, f); err != nil {
				return errors.Join(err, msg.NakWithDelay(reviewRetry))
			}
			if err := msg.Ack(); err != nil {
				return err
			}
			if about, err := msg.Metadata(); err == nil {
				done = cursor{position: position{place: about.Sequence.Stream}, made: instant(about.Timestamp)}
			}
		}
		if done.place > 0 && time.Since(noted) >= reviewNotes {
			if err := h.acknowledge(ctx, reviewsReader, done); err != nil {
				return err
			}
			done, noted = cursor{}, time.Now()
		}
	}
}

// reviewer opens the consumer of JetStream that all hubs share for the reviews. It creates it
// if it is missing; then it begins at the cursor of the reviews.
func (h *Hub) reviewer(ctx context.Context) (jetstream.Consumer, error) {
	at, err := h.cursor(ctx, reviewsReader)
	if err != nil {
		return nil, err
	}
	consumer, missing := h.events.Consumer(ctx, reviewer)
	if missing != nil && !errors.Is(missing, jetstream.ErrConsumerNotFound) {
		return nil, missing
	}
	// After both places: otherwise they could be later than the end of the stream.
	info, err := streamInfo(ctx, h.events)
	if err != nil {
		return nil, err
	}
	if err := h.checkCursor(ctx, reviewsReader, at, info); err != nil {
		return nil, err
	}
	if missing == nil {
		// The consumer's own place may be later than the cursor.
		own := cursor{position: position{place: consumer.CachedInfo().AckFloor.Stream}}
		if err := h.checkCursor(ctx, reviewsReader, own, info); err != nil {
			return nil, err
		}
		if is := consumer.CachedInfo().Config; is.FilterSubject != eventsSubject+">" { // of a hub before epochs
			is.FilterSubject = eventsSubject + ">"
			return h.events.UpdateConsumer(ctx, is)
		}
		return consumer, nil
	}
	config := jetstream.ConsumerConfig{
		Durable:       reviewer,
		FilterSubject: eventsSubject + ">",
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       2 * reviewTime,
		MaxAckPending: 1, // so that a kiosk's events are reviewed in their order
	}
	if at.place > 0 {
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, at.place+1
	}
	return h.events.CreateConsumer(ctx, config)
}

// reviewMessage reviews the events of a message in their order. After an error the
// message is delivered again; events that were reviewed already are then skipped.
func (h *Hub) reviewMessage(ctx context.Context, msg jetstream.Msg, f *reviewFailures) error {
	about, err := msg.Metadata()
	if err != nil {
		return err
	}
	place := about.Sequence.Stream
	events := readMessage(msg.Data())
	for i, text := range events {
		branch := strings.TrimPrefix(msg.Subject(), eventsSubject)
		reviewing, cancel := context.WithTimeout(ctx, reviewTime)
		switch {
		case tellsOfUpdate(text):
			kioskID, _, _ := strings.Cut(branch, ".")
			err = h.noteUpdate(reviewing, kioskID, text)
		case mayNeedReview(text):
			err = h.reviewOne(reviewing, branch, text)
		default:
			cancel()
			continue
		}
		cancel()
		if err != nil && ctx.Err() == nil && f.giveUp(position{place, uint64(i + 1)}, err) {
			h.log.Error("event is not reviewed", "subject", msg.Subject(), "place", place, "index", i, "err", err)
			err = nil
		}
		if err == nil && i < len(events)-1 {
			err = msg.InProgress() // AckWait is for one event
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mayNeedReview reports whether an event may be an offline visit. It quickly skips most of
// a long backlog.
func mayNeedReview(text []byte) bool {
	of := event.Members(text, "type", "data")
	return string(of[0]) == `"`+event.TypeVisit+`"` && string(event.Members(of[1], "offline")[0]) != "false"
}

// maxReviewTries is how often a hub tries to review an event. The events behind it wait
// for that long.
const maxReviewTries = 10

// reviewFailures counts the failures of the event that failed last.
type reviewFailures struct {
	at    position
	times int
}

// giveUp reports whether the event that failed is to be skipped. Failures of the store do
// not count.
func (f *reviewFailures) giveUp(at position, err error) bool {
	if errors.As(err, new(storeError)) {
		return false
	}
	if f.at != at {
		*f = reviewFailures{at: at}
	}
	f.times++
	return f.times >= maxReviewTries
}

// reviewOne reviews an event if it is a visit that a kiosk decided offline. branch is the
// part of its subject after eventsSubject. An event that is delivered twice is reviewed once.
func (h *Hub) reviewOne(ctx context.Context, branch string, message []byte) error {
	kioskID, _, _ := strings.Cut(branch, ".")
	var e storedVisit
	if err := json.Unmarshal(message, &e); err != nil {
		// The event could be opened, so it is of a newer version or of another type.
		h.log.Debug("cannot review event", "kiosk", kioskID, "err", err)
		return nil
	}
	if e.Type != event.TypeVisit || !e.Data.Offline {
		return nil
	}
	problem := dishonest(e)
	if problem == "" && !event.Reviewed(e.Data) {
		return nil
	}
	last, place, err := h.lastReview(ctx, branch)
	if err != nil || last >= e.Sequence {
		return err
	}
	review, err := h.decideAgain(ctx, kioskID, e, problem)
	if err != nil {
		return err
	}
	if !review.Agrees && (review.Problem != "" || e.Data.Outcome == kiosk.Granted) {
		// Before the review, so that an alarm is never lost. It may come twice.
		if err := h.alarmAboutReview(ctx, review); err != nil {
			return err
		}
	}
	id, err := event.NewID(h.now(), h.rand)
	if err != nil {
		return err
	}
	text, err := event.ByTheHub(id, event.TypeReview, h.now(), review)
	if err != nil {
		return err
	}
	_, err = h.publishOne(ctx, reviewsSubject+branch, place, text)
	if errors.Is(err, errOvertaken) {
		return nil // another hub wrote it
	}
	return err
}

// lastReview returns the event of a branch that was reviewed last: its sequence number and
// the place of the review in the stream.
func (h *Hub) lastReview(ctx context.Context, branch string) (sequence, place uint64, err error) {
	msg, err := h.events.GetLastMsgForSubject(ctx, reviewsSubject+branch)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, storeError{err}
	}
	var r struct {
		Data event.Review `json:"data"`
	}
	if err := json.Unmarshal(msg.Data, &r); err != nil {
		return 0, 0, unreadable(msg.Sequence, err)
	}
	return r.Data.Sequence, msg.Sequence, nil
}

// denials are the reasons with which an honest kiosk denies offline.
var denials = []kiosk.Reason{
	kiosk.Parse, kiosk.Format, kiosk.Purpose, kiosk.Policy, kiosk.NotYetValid, kiosk.Expired, kiosk.NotTrusted, kiosk.Revoked,
	kiosk.RevocationUnknown, kiosk.Algorithm, kiosk.WeakKey, kiosk.Identifier, kiosk.Signature, kiosk.RuleDenied, kiosk.Internal,
	kiosk.OfflineNever, kiosk.OfflineExpired, kiosk.OfflineUnknown, kiosk.OfflineLimit, kiosk.ClockUntrusted,
}

// dishonest returns what in an offline visit an honest kiosk never writes, or "". It looks
// at the event alone.
func dishonest(e storedVisit) string {
	v := e.Data
	switch {
	case v.Outcome == kiosk.Granted && v.Reason != "",
		v.Outcome == kiosk.Denied && v.Authenticated && !slices.Contains(denials, v.Reason):
		return problemReason
	case v.Outcome != kiosk.Granted:
		return ""
	case incomplete(v.Evidence),
		v.Basis == nil || v.Basis.Time.IsZero():
		return problemNoEvidence
	}
	// While its clock is not trusted, a kiosk judges by the newest time that it has seen.
	if skew := v.Basis.Time.Sub(e.Time).Abs(); skew > maxJudgedSkew && (e.ClockTrusted || v.Basis.Time.Before(e.Time)) {
		return problemTime
	}
	return ""
}

func incomplete(e *event.Evidence) bool {
	return e == nil || e.Nonce == "" || len(e.Token) == 0 || string(e.Token) == "null"
}

// nonceProblem reports whether the nonce of an offline visit is that of another visit or
// of another kiosk. It remembers the nonce.
func (h *Hub) nonceProblem(ctx context.Context, kioskID string, e storedVisit) (string, error) {
	nonce := e.Data.Evidence.Nonce
	if raw, err := base64.StdEncoding.DecodeString(nonce); err == nil {
		// The kiosk may have got the nonce from a hub before it went offline.
		entry, err := h.challenges.Get(ctx, nonceKey(raw))
		var made challengeRecord
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrInvalidKey):
		case err != nil:
			return "", storeError{err}
		case json.Unmarshal(entry.Value(), &made) != nil:
		case made.Kiosk != kioskID:
			return problemNonceForeign, nil
		case made.Spent && made.Visit != e.Data.Visit:
			return problemNonceUsed, nil
		}
	}
	sum := sha256.Sum256([]byte(nonce))
	key := hex.EncodeToString(sum[:])
	_, err := h.evidence.Create(ctx, key, []byte(e.ID))
	if errors.Is(err, jetstream.ErrKeyExists) {
		entry, err := h.evidence.Get(ctx, key)
		if err != nil {
			return "", storeError{err}
		}
		if string(entry.Value()) != e.ID {
			return problemNonceUsed, nil
		}
		return "", nil
	}
	if err != nil {
		return "", storeError{err}
	}
	return "", nil
}

// reasonOf is the reason of a review for a problem of the evidence.
var reasonOf = map[string]kiosk.Reason{
	problemNoEvidence: kiosk.NonceUnknown, problemNonceUsed: kiosk.NonceUsed, problemNonceForeign: kiosk.NonceForeign,
	problemTime: kiosk.ClockUntrusted,
}

// decideAgain decides for the time of the visit, but with today's knowledge of
// revocation, because a card that was reported lost since may have been in other hands
// then. It applies today's rules for the hour of the visit. It does not ask the operator's
// system, which decides about people who stand at the door.
func (h *Hub) decideAgain(ctx context.Context, kioskID string, e storedVisit, problem string) (event.Review, error) {
	v, now := e.Data, h.now()
	at := e.Time
	if v.Basis != nil && !v.Basis.Time.IsZero() {
		at = v.Basis.Time
	}
	if problem == "" && at.After(now.Add(maxJudgedSkew)) {
		problem = problemTime
	}
	if at.After(now) {
		at = now
	}
	r := event.Review{
		Kiosk: kioskID, Event: e.ID, Epoch: e.Epoch, Sequence: e.Sequence, Visit: v.Visit, Outcome: v.Outcome, Verdict: kiosk.Denied,
	}
	if incomplete(v.Evidence) {
		r.Reason, r.Problem = kiosk.NonceUnknown, problem
		r.Agrees = r.Problem == "" && r.Verdict == v.Outcome
		return r, nil
	}
	if problem == "" {
		var err error
		if problem, err = h.nonceProblem(ctx, kioskID, e); err != nil {
			return r, err
		}
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
		r.Agrees = false // the event names another holder
	}
	if problem != "" {
		r.Agrees, r.Problem = false, problem
		if reason, ok := reasonOf[problem]; ok && r.Verdict == kiosk.Granted {
			r.Verdict, r.Reason = kiosk.Denied, reason
		}
	}
	return r, nil
}

// alarmAboutReview raises an alarm and marks the kiosk.
func (h *Hub) alarmAboutReview(ctx context.Context, r event.Review) error {
	kind, detail := event.AlarmReview, fmt.Sprintf("the kiosk decided %s, the hub %s", r.Outcome, r.Verdict)
	if r.Reason != "" {
		detail += fmt.Sprintf(" (%s)", r.Reason)
	}
	if r.Problem != "" {
		kind, detail = event.AlarmEvidence, r.Problem
	}
	return h.alarm(ctx, "review "+r.Event, event.Alarm{
		Kiosk: r.Kiosk, Kind: kind, Detail: detail, Event: r.Event, Epoch: r.Epoch, Sequence: r.Sequence, Visit: r.Visit,
	})
}
