package hub

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
)

// An operator may ask a kiosk what is wrong with it. The question is in the kiosk's policy,
// and the kiosk sends the report of its doctor.

const (
	doctorBucket = "smartkiosk-doctor" // kiosk → doctorEntry
	doctorMemory = 24 * time.Hour

	// doctorOpen is how long a question stays in the policy.
	doctorOpen = time.Hour

	maxReport = 48 << 10 // bytes
)

// doctorEntry is a question to a kiosk, and its answer.
type doctorEntry struct {
	Question string          `json:"question"` // random
	Asked    time.Time       `json:"asked"`
	Report   json.RawMessage `json:"report,omitempty"` // null until the kiosk has answered
}

// questions are the questions that no kiosk has answered yet, as the hub knows them.
type questions struct {
	kv jetstream.KeyValue

	mu    sync.Mutex
	known map[string]doctorEntry // by kiosk, without reports
}

func openQuestions(ctx context.Context, js jetstream.JetStream) (*questions, error) {
	kv, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: doctorBucket, Storage: jetstream.FileStorage, TTL: doctorMemory})
	return &questions{kv: kv, known: map[string]doctorEntry{}}, err
}

func (h *Hub) attachQuestions(ctx context.Context) (err error) {
	h.questions, err = openQuestions(ctx, h.js)
	return err
}

func (h *Hub) watchQuestions(ctx context.Context) {
	h.keepFollowing(ctx, "questions to kiosks", h.questions.follow)
}

// follow reads the questions, and then their changes, until ctx ends.
func (q *questions) follow(ctx context.Context) error {
	return follow(ctx, q.kv, func(found jetstream.KeyValueEntry) error {
		var e doctorEntry
		if found.Operation() == jetstream.KeyValuePut {
			if err := json.Unmarshal(found.Value(), &e); err != nil {
				return fmt.Errorf("cannot read the question to kiosk %s: %w", found.Key(), err)
			}
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		if e.Question == "" || e.Report != nil {
			delete(q.known, found.Key())
			return nil
		}
		q.known[found.Key()] = e
		return nil
	})
}

// to returns the question that a kiosk is to answer, or "".
func (q *questions) to(kiosk string, now time.Time) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.known[kiosk]
	if now.Sub(e.Asked) >= doctorOpen {
		return ""
	}
	return e.Question
}

// takeReport handles POST /v1/doctor.
func (h *Hub) takeReport(w http.ResponseWriter, r *http.Request, c caller) error {
	var question string
	var report json.RawMessage
	if err := apihttp.ReadJSON(r, map[string]any{"question": &question, "report": &report}); err != nil {
		return err
	}
	if len(report) > maxReport {
		return apihttp.TooLarge("the report is too large")
	}
	if !strings.HasPrefix(string(report), "{") {
		return apihttp.Malformed("report is of the wrong type")
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	found, err := h.questions.kv.Get(ctx, c.Name)
	var e doctorEntry
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
	case err != nil:
		return storeError{err}
	default:
		if err := json.Unmarshal(found.Value(), &e); err != nil {
			return err
		}
	}
	if e.Question == "" || e.Question != question {
		return apihttp.Problem(http.StatusNotFound, hubapi.KindNotFound, "not found", "this kiosk has no open question with this number")
	}
	if e.Report == nil {
		e.Report = report
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if _, err := h.questions.kv.Update(ctx, c.Name, text, found.Revision()); err != nil {
			return storeError{err}
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// AskKiosk asks a kiosk what is wrong with it, and returns the report of its doctor (JSON) when
// the kiosk has answered. ctx bounds the wait; a kiosk that works asks for its policy every
// ask_every (hub.toml).
func AskKiosk(ctx context.Context, dir, kiosk string) (report []byte, err error) {
	if report, err = askKiosk(ctx, dir, kiosk); err != nil {
		return nil, fmt.Errorf("cannot ask kiosk %s: %w", kiosk, err)
	}
	return report, nil
}

func askKiosk(ctx context.Context, dir, kiosk string) (report []byte, err error) {
	known := false
	err = useRegistry(dir, func(ctx context.Context, r *registry) error {
		e, revision, err := r.get(ctx, hubapi.Identity{Role: hubapi.RoleKiosk, Name: kiosk})
		known = revision > 0 && e.Removed.IsZero()
		return err
	})
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, errNoClient
	}
	if err := runs(dir); err != nil {
		return nil, err
	}
	js, end, err := openStore(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer end()
	q, err := openQuestions(ctx, js)
	if err != nil {
		return nil, err
	}
	return q.ask(ctx, kiosk)
}

// runs returns an error if the hub in a folder has a JetStream of its own and does not run.
// Then no kiosk can answer.
func runs(dir string) error {
	s, err := readSettings(dir)
	if err != nil || s.NATS.URL != "" {
		return err
	}
	conn, err := storageDialer(filepath.Join(dir, jetstreamDir)).Dial("", "")
	if err != nil {
		return errors.New("the hub does not run: kioskhub serve")
	}
	return conn.Close()
}

// ask puts a question and waits for its answer.
func (q *questions) ask(ctx context.Context, kiosk string) (report []byte, err error) {
	mine := doctorEntry{Question: strings.ToLower(rand.Text()), Asked: time.Now().UTC()}
	text, err := json.Marshal(mine)
	if err != nil {
		return nil, err
	}
	if _, err := q.kv.Put(ctx, kiosk, text); err != nil {
		return nil, storeError{err}
	}
	watch, err := q.kv.Watch(ctx, kiosk)
	if err != nil {
		return nil, storeError{err}
	}
	defer watch.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, errors.New("it has not answered in time: is it switched on, and can it reach the hub?")
		case found, ok := <-watch.Updates():
			var e doctorEntry
			switch {
			case !ok:
				return nil, errors.New("the hub's store has stopped")
			case found == nil || found.Operation() != jetstream.KeyValuePut:
				continue
			}
			if err := json.Unmarshal(found.Value(), &e); err != nil {
				return nil, err
			}
			if e.Question != mine.Question {
				return nil, errors.New("somebody else has asked it meanwhile")
			}
			if e.Report != nil {
				return e.Report, nil
			}
		}
	}
}
