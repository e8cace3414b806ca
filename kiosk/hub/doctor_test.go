package hub

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// ask puts a question to a kiosk.
func (b *bed) ask(kiosk, question string) {
	b.t.Helper()
	q, err := openQuestions(b.t.Context(), b.jetStream())
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := json.Marshal(doctorEntry{Question: question, Asked: b.now()})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := q.kv.Put(b.t.Context(), kiosk, text); err != nil {
		b.t.Fatal(err)
	}
}

// The operator's question is in the policy of one kiosk, until the kiosk has answered.
func TestAskKiosk(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, k2 := b.kiosk(url, "k1"), b.kiosk(url, "k2")
	type answer struct {
		report []byte
		err    error
	}
	answered := make(chan answer, 1)
	q, err := openQuestions(t.Context(), b.jetStream())
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		report, err := q.ask(t.Context(), "k1")
		answered <- answer{report, err}
	}()
	question := ""
	eventually(t, func() error {
		if question = b.policy(k1).Doctor; question == "" {
			return errors.New("the policy has no question")
		}
		return nil
	})
	if other := b.policy(k2).Doctor; other != "" {
		t.Errorf("k2 is asked %q", other)
	}
	if err := k2.Doctor(t.Context(), question, json.RawMessage(`{}`)); !isNotFound(err) {
		t.Errorf("k2 answers for k1: %v", err)
	}
	if err := k1.Doctor(t.Context(), "another", json.RawMessage(`{}`)); !isNotFound(err) {
		t.Errorf("another question: %v", err)
	}
	for range 2 { // the first answer may be lost
		if err := k1.Doctor(t.Context(), question, json.RawMessage(`{"kiosk":"k1"}`)); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-answered; got.err != nil || string(got.report) != `{"kiosk":"k1"}` {
		t.Errorf("the operator gets %s, %v", got.report, got.err)
	}
	eventually(t, func() error {
		if b.policy(k1).Doctor != "" {
			return errors.New("the question is still there")
		}
		return nil
	})
	// A question without an answer does not stay.
	b.ask("k1", "old")
	eventually(t, func() error {
		if b.policy(k1).Doctor != "old" {
			return errors.New("the policy has no question")
		}
		return nil
	})
	b.advance(doctorOpen)
	if b.policy(k1).Doctor != "" {
		t.Error("a question stays after an hour")
	}
}

// Who waits learns that the kiosk is silent, that somebody else has asked, or that it makes no
// sense to wait.
func TestAskInVain(t *testing.T) {
	b := newBed(t)
	q, err := openQuestions(t.Context(), b.jetStream())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := q.ask(ctx, "k1"); err == nil || !strings.Contains(err.Error(), "has not answered in time") {
		t.Errorf("a silent kiosk: %v", err)
	}
	first := make(chan error, 1)
	go func() { _, err := q.ask(t.Context(), "k1"); first <- err }()
	eventually(t, func() error {
		b.ask("k1", "of somebody else")
		select {
		case err := <-first:
			if !strings.Contains(err.Error(), "somebody else") {
				t.Errorf("another question: %v", err)
			}
			return nil
		default:
			return errors.New("the first one still waits")
		}
	})
	if _, err := AskKiosk(t.Context(), b.dir, "k1"); !errors.Is(err, errNoClient) {
		t.Errorf("an unknown kiosk: %v", err)
	}
	if _, err := addKiosk(b.dir, "k1", nil, func(f func(context.Context, *registry) error) error { return useRegistry(b.dir, f) }); err != nil {
		t.Fatal(err)
	}
	if _, err := AskKiosk(t.Context(), b.dir, "k1"); err == nil || !strings.Contains(err.Error(), "the hub does not run") {
		t.Errorf("a hub that does not run: %v", err)
	}
}
