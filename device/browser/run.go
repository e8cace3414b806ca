package browser

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Times of Run.
const (
	startWithin  = time.Minute // until Chromium can be controlled
	answerWithin = 20 * time.Second
	lookEvery    = 5 * time.Second
	againAfter   = time.Second // until the next attempt after a failure
	oldAfter     = 24 * time.Hour
)

// DefaultMemory is the memory above which Chromium is started again between visits. It
// takes about 350 MB with a panel page.
const DefaultMemory = 700 << 20

// Options are what Run needs.
type Options struct {
	Panel     string   // URL of kioskd's panel page, http://host:port/
	Command   []string // Chromium, and further switches
	Profiles  string   // folder for the profile, best in memory; "" for the default one of temporary files
	MaxMemory int64    // bytes: above it Chromium is started again between visits, above twice as much at once
	Log       *slog.Logger

	look, answer time.Duration // of tests; 0 for lookEvery and answerWithin
}

// task is what kioskd wants the browser to do. One without Do and Key only shows that
// kioskd is there.
type task struct {
	Do       string   `json:"do,omitempty"` // doOpen, doClose, doRest or doBusy
	Login    string   `json:"login,omitempty"`
	Address  string   `json:"address,omitempty"`
	Callback string   `json:"callback,omitempty"`
	Origins  []string `json:"origins,omitempty"`
	Key      string   `json:"key,omitempty"`
	lost     bool     // kioskd has gone
}

const (
	doOpen  = "open"
	doClose = "close"
	doRest  = "rest" // no visit is in progress
	doBusy  = "busy"
)

// Run shows the panel page, and login pages when kioskd wants them, until ctx ends. It
// starts Chromium again whenever it ends, hangs or uses too much memory.
func Run(ctx context.Context, o Options) error {
	if originOf(o.Panel) == "" {
		return fmt.Errorf("the panel's address %q is not a URL", o.Panel)
	}
	r := &runner{Options: o, tasks: make(chan task)}
	ctx, stop := context.WithCancel(ctx)
	followed := make(chan struct{})
	go func() { defer close(followed); r.follow(ctx) }()
	defer func() { stop(); <-followed }()
	for {
		w, err := openWindow(ctx, o)
		if err == nil {
			err = r.serve(ctx, w)
			err = errors.Join(err, w.stop())
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			o.Log.Error("the browser starts again", "err", err)
			pause(ctx, againAfter)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// runner follows the tasks of kioskd.
type runner struct {
	Options
	tasks chan task
	busy  bool // a visit is in progress
}

// serve works with one Chromium. It returns nil if that should be replaced.
func (r *runner) serve(ctx context.Context, w *window) error {
	tick := time.NewTicker(cmp.Or(r.look, lookEvery))
	defer tick.Stop()
	begun := time.Now()
	used := false // the profile has seen a login
	defer w.settle(r)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.gone:
			return errGone
		case e := <-w.ends:
			r.report(e)
		case t := <-r.tasks:
			switch t.Do {
			case doOpen:
				r.busy, used = true, true
				w.open(t)
			case doClose:
				w.close(t.Login)
			case doBusy, doRest:
				r.busy = t.Do == doBusy
			}
			if t.Key != "" {
				w.press(t.Key)
			}
			if t.lost {
				w.abandon()
			}
		case <-tick.C:
			if err := w.alive(ctx, cmp.Or(r.answer, answerWithin)); err != nil {
				return fmt.Errorf("the browser does not answer: %w", err)
			}
			switch size := memoryOf(w.command.Process.Pid); {
			case size > 2*r.MaxMemory:
				return fmt.Errorf("the browser uses %d MB", size>>20)
			case size > r.MaxMemory, time.Since(begun) > oldAfter:
				used = true
			}
		}
		if used && !r.busy {
			return nil // the next one has a new profile
		}
	}
}

// settle reports a login that was in progress when Chromium ended.
func (w *window) settle(r *runner) {
	w.mu.Lock()
	w.fail(Crashed)
	w.mu.Unlock()
	for {
		select {
		case e := <-w.ends:
			r.report(e)
		default:
			return
		}
	}
}

// abandon ends the login whose kioskd has gone.
func (w *window) abandon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail(Lost)
}

func (r *runner) url(path string) string { return strings.TrimSuffix(r.Panel, "/") + path }

// follow reads kioskd's tasks until ctx ends.
func (r *runner) follow(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.followOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		r.Log.Warn("no connection to kioskd", "err", err)
		r.put(ctx, task{Do: doRest, lost: true})
		pause(ctx, againAfter)
	}
}

func (r *runner) followOnce(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url("/browser/tasks"), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("kioskd answered %s", resp.Status)
	}
	// kioskd says at short intervals that it is there.
	silence := time.AfterFunc(2*beatEvery, cancel)
	defer silence.Stop()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		silence.Reset(2 * beatEvery)
		var t task
		err := json.Unmarshal(lines.Bytes(), &t)
		clear(lines.Bytes()) // it may hold a digit of a PIN
		if err != nil {
			return errors.New("cannot read a task")
		}
		if t.Do != "" || t.Key != "" {
			r.put(ctx, t)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

func (r *runner) put(ctx context.Context, t task) {
	select {
	case r.tasks <- t:
	case <-ctx.Done():
	}
}

// report sends what became of a login to kioskd. If that fails, kioskd's own time limits
// end the login.
func (r *runner) report(e end) {
	text, err := json.Marshal(e)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url("/browser/results"), bytes.NewReader(text))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.Log.Warn("a login's end was not reported", "err", err)
		return
	}
	_ = resp.Body.Close()
}

// queryOf returns the query of a URL as it is.
func queryOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.RawQuery
}
