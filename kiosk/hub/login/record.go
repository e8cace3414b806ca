package login

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/broker"
)

// State is a step of a login.
type State string

const (
	Waiting   State = "waiting"
	Opened    State = "opened"
	Answering State = "answering"
	Digits    State = "digits"
	Deciding  State = "deciding"
	Ended     State = "ended"
)

// How long each state may last.
const (
	waitingTime   = 60 * time.Second
	openedTime    = 5 * time.Minute // at the broker
	answeringTime = 30 * time.Second
	digitsTime    = 60 * time.Second
	decidingTime  = 10 * time.Second
)

// Memory is how long the bucket keeps a login.
const Memory = 30 * time.Minute

// maxWrong is the number of wrong entries that ends a login.
const maxWrong = 3

// Record is a login in the bucket. It holds secrets: only hubs may read it.
type Record struct {
	ID          string             `json:"id"`
	Code        string             `json:"code"`
	Kiosk       string             `json:"kiosk"`
	Visit       string             `json:"visit"`
	Language    string             `json:"language"`
	Broker      string             `json:"broker"`
	Environment broker.Environment `json:"environment"`

	State   State       `json:"state"`
	Expires time.Time   `json:"expires"`         // of the state
	Page    bool        `json:"page,omitempty"`  // the browser is the kiosk's own, not a phone
	Phone   []byte      `json:"phone,omitempty"` // SHA-256 of the cookie's secret
	Flow    broker.Flow `json:"flow,omitzero"`

	Digits string       `json:"digits,omitempty"`
	Wrong  int          `json:"wrong,omitempty"`
	Holder kiosk.Holder `json:"holder,omitzero"`

	Outcome kiosk.Outcome `json:"outcome,omitempty"`
	Reason  kiosk.Reason  `json:"reason,omitempty"`
}

// Format prints the ID only.
func (r Record) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("login " + r.ID)) }

// enter changes the state.
func (r *Record) enter(to State, now time.Time, life time.Duration) {
	r.State, r.Expires = to, now.Add(life).UTC()
}

// end ends the login and forgets what is not needed any more.
func (r *Record) end(o kiosk.Outcome, why kiosk.Reason) {
	r.State, r.Outcome, r.Reason = Ended, o, why
	r.Flow, r.Digits = broker.Flow{}, ""
	if o != kiosk.Granted && o != kiosk.Denied {
		r.Holder = kiosk.Holder{}
	}
}

// expire ends the login if its state has lasted too long.
func (r *Record) expire(now time.Time) {
	if r.State == Ended || now.Before(r.Expires) {
		return
	}
	switch r.State {
	case Answering:
		r.end(kiosk.Failed, kiosk.BrokerDown)
	case Deciding:
		r.end(kiosk.Denied, kiosk.NotAsked)
	default:
		r.end(kiosk.TimedOut, kiosk.LoginExpired)
	}
}

// Errors of the store.
var (
	errUnknown   = errors.New("there is no such login")
	errUnchanged = errors.New("nothing to change")
)

// Keys in the bucket.
func loginKey(id string) string     { return "login." + id }
func codeKey(code string) string    { return "code." + code }
func kioskKey(kiosk string) string  { return "kiosk." + kiosk }
func phoneKey(secret string) string { return "phone." + hex.EncodeToString(digest(secret)) }

// get returns a login as it is now.
func (s *Service) get(ctx context.Context, id string) (Record, uint64, error) {
	entry, err := s.Bucket.Get(ctx, loginKey(id))
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrInvalidKey) {
		return Record{}, 0, errUnknown
	}
	if err != nil {
		return Record{}, 0, err
	}
	var r Record
	if err := json.Unmarshal(entry.Value(), &r); err != nil {
		return Record{}, 0, fmt.Errorf("cannot read a login: %w", err)
	}
	r.expire(s.Now())
	return r, entry.Revision(), nil
}

// byCode returns the login of a link.
func (s *Service) byCode(ctx context.Context, code string) (Record, error) {
	entry, err := s.Bucket.Get(ctx, codeKey(code))
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrInvalidKey) {
		return Record{}, errUnknown
	}
	if err != nil {
		return Record{}, err
	}
	r, _, err := s.get(ctx, string(entry.Value()))
	return r, err
}

// change applies a change to a login, however many hubs change it at the same time. If the
// change returns errUnchanged, change returns the login as it is.
func (s *Service) change(ctx context.Context, id string, apply func(*Record) error) (Record, error) {
	for {
		r, revision, err := s.get(ctx, id)
		if err != nil {
			return Record{}, err
		}
		if err := apply(&r); errors.Is(err, errUnchanged) {
			return r, nil
		} else if err != nil {
			return r, err
		}
		value, err := json.Marshal(r)
		if err != nil {
			return Record{}, err
		}
		_, err = s.Bucket.Update(ctx, loginKey(id), value, revision)
		if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			continue
		}
		return r, err
	}
}

// letters are those of a code. None looks like another one.
const letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

// codeLength is the number of letters of a code: 30 bits, for a minute.
const codeLength = 6

// newCode makes a code.
func (s *Service) newCode() (string, error) {
	b := make([]byte, codeLength)
	if _, err := s.Rand.Read(b); err != nil {
		return "", err
	}
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b), nil
}

// newDigits makes the four digits, each equally probable.
func (s *Service) newDigits() (string, error) {
	n, err := rand.Int(s.Rand, tenThousand)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%04d", n.Int64()), nil
}
