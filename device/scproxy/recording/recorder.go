package recording

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/script"
)

// Limit is how long a recorder stays on.
const Limit = time.Hour

// MaxFile is the maximum length of a recording in bytes.
const MaxFile = 4 << 20

// Recorder writes sessions to a file while it is on. The methods may be called at the
// same time.
type Recorder struct {
	path string
	log  *slog.Logger

	mu       sync.Mutex
	until    time.Time // zero while off
	off      *time.Timer
	atr      []byte // of the first session
	written  int
	pseudo   *anonymiser
	sessions map[*Session]bool // that have not ended
	changed  chan struct{}
}

// New returns a recorder for a file. It is off.
func New(path string, log *slog.Logger) *Recorder {
	return &Recorder{path: path, log: log, changed: make(chan struct{})}
}

// State is what a recorder does.
type State struct {
	On    bool      `json:"on"`
	Until time.Time `json:"until,omitzero"` // when the recording ends by itself
	File  string    `json:"file"`
}

// State returns what the recorder does now.
func (r *Recorder) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return State{!r.until.IsZero(), r.until, r.path}
}

// ErrOn means that the recorder is already on.
var ErrOn = errors.New("already recording")

const header = `# What login pages and a card said to each other. PINs and hashes are blanked, and
# personal data is replaced; the lengths are those of the card.

`

// Start begins a new recording, which replaces the file. It ends after Limit. Sessions
// that are open already are not recorded. Errors: ErrOn, and those of the file.
func (r *Recorder) Start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.until.IsZero() {
		return fmt.Errorf("cannot start recording: %w until %s", ErrOn, r.until.Format(time.TimeOnly))
	}
	// A new file, because the old one may have other rights or be a link.
	if err := os.Remove(r.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot start recording: %w", err)
	}
	if err := r.write(os.O_CREATE|os.O_EXCL, header); err != nil {
		return fmt.Errorf("cannot start recording: %w", err)
	}
	r.until = time.Now().Add(Limit)
	r.atr, r.written, r.pseudo, r.sessions = nil, len(header), newAnonymiser(), map[*Session]bool{}
	until := r.until
	r.off = time.AfterFunc(Limit, func() { r.stop(until) })
	r.change()
	r.log.Warn("recording of login pages began", "until", r.until)
	return nil
}

// Stop writes what open sessions have said so far, and switches the recorder off.
func (r *Recorder) Stop() {
	r.mu.Lock()
	until := r.until
	r.mu.Unlock()
	r.stop(until)
}

// stop ends the recording that lasts until then, unless it has ended.
func (r *Recorder) stop(until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until.Equal(until) && !until.IsZero() {
		r.end()
	}
}

// end ends the recording. The caller holds mu.
func (r *Recorder) end() {
	for s := range r.sessions {
		r.finish(s)
	}
	if r.until.IsZero() { // finish could not write
		return
	}
	r.until, r.pseudo, r.sessions = time.Time{}, nil, nil
	r.off.Stop()
	r.change()
	r.log.Warn("recording of login pages ended")
}

// change wakes Watch. The caller holds mu.
func (r *Recorder) change() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// Watch sends whether the recorder is on, now and at every change, until ctx ends.
func (r *Recorder) Watch(ctx context.Context) <-chan bool {
	c := make(chan bool)
	go func() {
		defer close(c)
		for first, sent := true, false; ; first = false {
			r.mu.Lock()
			on, changed := !r.until.IsZero(), r.changed
			r.mu.Unlock()
			if first || on != sent {
				select {
				case c <- on:
					sent = on
				case <-ctx.Done():
					return
				}
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return c
}

// Begin returns a new session with a card, or nil while the recorder is off. A nil
// Session records nothing. A nil Recorder is always off.
func (r *Recorder) Begin(atr []byte) *Session {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until.IsZero() {
		return nil
	}
	if r.atr == nil {
		r.atr = bytes.Clone(atr)
	}
	if !bytes.Equal(r.atr, atr) {
		r.log.Warn("session not recorded: the card is of another kind than the first one")
		return nil
	}
	s := &Session{recorder: r, atr: r.atr}
	r.sessions[s] = true
	return s
}

// Add records a command and its response, or that the card did not answer. The caller
// may wipe both afterwards.
func (s *Session) Add(c apdu.Command, r apdu.Response, answered bool) {
	if s == nil {
		return
	}
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	if s.recorder.sessions[s] {
		s.add(c, r, answered)
	}
}

// End writes the session.
func (s *Session) End() {
	if s == nil {
		return
	}
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	if s.recorder.sessions[s] {
		s.recorder.finish(s)
	}
}

// finish writes a session. If that fails, or if the file would become too long, the
// recording ends. The caller holds mu.
func (r *Recorder) finish(s *Session) {
	delete(r.sessions, s)
	steps := s.steps(r.pseudo)
	if len(steps) == 0 {
		return
	}
	var text strings.Builder
	if r.written == len(header) {
		steps[0].Reset = false
		text.WriteString(script.Script{ATR: s.atr, Steps: steps}.String())
	} else {
		for _, step := range steps {
			text.WriteString("\n" + step.String())
		}
	}
	if r.written+text.Len() > MaxFile {
		r.log.Error("recording ends: the file is full", "file", r.path)
		r.abort()
		return
	}
	if err := r.write(os.O_APPEND, text.String()); err != nil {
		r.log.Error("recording ends: cannot write the file", "err", err)
		r.abort()
		return
	}
	r.written += text.Len()
}

// abort ends the recording without the open sessions. The caller holds mu.
func (r *Recorder) abort() {
	r.sessions = nil
	r.end()
}

// write writes text to the file, which only its owner may read.
func (r *Recorder) write(flag int, text string) error {
	f, err := os.OpenFile(r.path, flag|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
