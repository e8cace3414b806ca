package terminal_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/push"
	"smartkiosk/kiosk/terminal"
	"smartkiosk/store"
)

// secretVisits is the number of visits in TestSecrecy.
const secretVisits = 1000

// secretPIN is too long to occur anywhere by chance.
const secretPIN = "73190264"

// longPINCard is a card whose PIN has 8 digits.
type longPINCard struct{ *fakeCard }

func (longPINCard) PINStatus(context.Context, int) (kiosk.PINStatus, error) {
	return kiosk.PINStatus{Min: 8, Max: 8, Tries: 3, TriesKnown: true}, nil
}

type longPINSlot struct{ fakeSlot }

func (s *longPINSlot) Open(context.Context, string) (terminal.Card, error) {
	return longPINCard{s.rig.card}, nil
}

// traces returns the forms in which a text may occur: unchanged, escaped as JSON, and
// in base64 at any offset.
func traces(text string) []string {
	found := []string{text, strings.ToUpper(text)}
	if quoted, err := json.Marshal(text); err == nil {
		found = append(found, strings.Trim(string(quoted), `"`))
	}
	for shift := range 3 {
		coded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + text))
		inner := coded[(shift*8+5)/6 : len(text)*8/6]
		found = append(found, inner, strings.NewReplacer("+", "-", "/", "_").Replace(inner))
	}
	return found
}

// TestSecrecy makes visits of every kind. Then it searches for each holder's name and
// serial number and for the PIN in everything that is stored or sent: the outbox with
// its free pages, the logs, and the requests that carry events to the hub.
func TestSecrecy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox.db")
	outbox, err := store.Open(path, store.Options{Keep: secretVisits})
	if err != nil {
		t.Fatal(err)
	}
	device, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	seal, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := event.NewSealer("k1", device, &jose.JSONWebKey{Key: &seal.PublicKey})
	if err != nil {
		t.Fatal(err)
	}

	var holders []testpki.Holder
	var log lockedBuffer
	var tokens []byte // tokens sent to the hub for verdicts, over a separate connection
	synctest.Test(t, func(t *testing.T) {
		pki, err := testpki.New(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		holders = []testpki.Holder{pki.Holders["valid"], pki.Holders["revoked"], pki.Holders["blocked"]}
		var slot longPINSlot
		r := start(t, func(r *rig, term *terminal.Terminal) {
			slot.fakeSlot = r.slot
			term.Slot = &slot
			term.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			term.Journal = &journal.Journal{Sealer: sealer, Outbox: outbox, Origin: origin, Clocks: journal.Clocks{
				Now: time.Now, BootID: "boot", Uptime: func() time.Duration { return 0 }, Trusted: func() bool { return true },
			}}
			r.card.pin = secretPIN
		})
		r.slotIs(kiosk.CardGone{})
		for visit := range secretVisits {
			h := holders[visit%len(holders)]
			r.card.signer = h.Authentication.Key
			r.card.certs = [][]byte{h.Signature.Certificate.Raw, h.Authentication.Certificate.Raw}
			r.hub.hang = visit%7 == 3
			r.hub.verdict = kiosk.Verdict{
				Granted: visit%5 != 0, Reason: kiosk.Revoked,
				Holder: kiosk.Holder{ID: h.Authentication.Certificate.Subject.SerialNumber, Name: h.Authentication.Certificate.Subject.CommonName},
			}
			r.slotIs(cardIn())
			r.expectScreen(kiosk.ScreenPIN)
			switch visit % 4 {
			case 0:
				r.typeKeys(secretPIN[:5]) // then the card is taken out
			case 1:
				r.typeKeys("90909090#")
			}
			if visit%4 != 0 {
				r.typeKeys(secretPIN + "#")
				r.pass(kiosk.DefaultTiming.Hub)
			}
			tokens = append(tokens, r.hub.token...)
			r.slotIs(kiosk.CardGone{})
			r.pass(time.Second)
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
	if n := outbox.Len(); n != 2*secretVisits+1 { // with the epoch, and what was shown of each
		t.Fatalf("%d visits left %d outcomes", secretVisits, n)
	}

	var sent bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	pusher := push.Pusher{
		Queue: outbox, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Send: func(ctx context.Context, batch []json.RawMessage, turn <-chan struct{}) (hubapi.Acknowledgement, error) {
			select {
			case <-turn:
			case <-ctx.Done():
				return hubapi.Acknowledgement{}, ctx.Err()
			}
			for _, e := range batch {
				sent.Write(e)
			}
			last, err := event.Peek(batch[len(batch)-1])
			if last.Sequence == 2*secretVisits+1 {
				stop()
			}
			return hubapi.Acknowledgement{Acknowledged: last.Sequence}, err
		},
	}
	if err := pusher.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := outbox.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	places := map[string][]byte{"outbox": file, "log": log.bytes(), "traffic": sent.Bytes()}
	for name, text := range places {
		if len(text) < 100*secretVisits {
			t.Errorf("only %d bytes of %s were searched", len(text), name)
		}
	}
	for _, h := range holders {
		subject := h.Authentication.Certificate.Subject
		for _, secret := range []string{subject.CommonName, subject.SerialNumber, secretPIN} {
			seen := false // control: the search finds the secret in the tokens, which contain it
			for _, trace := range traces(secret) {
				for name, text := range places {
					if bytes.Contains(text, []byte(trace)) {
						t.Errorf("%q is in the %s, as %q", secret, name, trace)
					}
				}
				seen = seen || bytes.Contains(tokens, []byte(trace))
			}
			if !seen && secret != secretPIN {
				t.Errorf("%q is not found in the tokens, which contain it", secret)
			}
		}
	}
}

// lockedBuffer is a log that several goroutines may write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}
