package browser

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"
)

// beatEvery is how often kioskd says to the browser that it is there.
const beatEvery = 10 * time.Second

// maxResult is the maximum length of a result: a callback's query and some room.
const maxResult = 16 << 10

// Error is the error that a login page ended without an answer of the broker.
type Error struct{ Failure Failure }

func (e *Error) Error() string { return "the login page ended: " + string(e.Failure) }

// Link is kioskd's side. It is safe for concurrent use.
type Link struct {
	origins []string

	mu      sync.Mutex
	browser chan task             // to the connected browser; nil for none
	watch   func(ready bool)      // may be nil
	busy    bool                  // a visit is in progress
	logins  map[string]chan<- end // the login in progress
}

// NewLink returns a link for logins at these origins.
func NewLink(origins []string) *Link {
	return &Link{origins: origins, logins: map[string]chan<- end{}}
}

// Watch calls f with whether a browser is connected, now and at each change. f must return
// at once and must not call l.
func (l *Link) Watch(f func(ready bool)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watch = f
	f(l.browser != nil)
}

// Open shows a login page until the broker sends the browser to callback, and returns the
// query of that. opened is called when the first page is there. When ctx ends, or after an
// error, the panel page is shown. The error is an *Error unless ctx has ended.
func (l *Link) Open(ctx context.Context, address, callback string, opened func()) (query string, err error) {
	id := rand.Text() // a page cannot guess it
	results := make(chan end, 4)
	l.mu.Lock()
	l.logins[id] = results
	sent := l.put(task{Do: doOpen, Login: id, Address: address, Callback: callback, Origins: l.origins})
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.logins, id)
		l.put(task{Do: doClose, Login: id})
	}()
	if !sent {
		return "", &Error{Lost}
	}
	for {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case e := <-results:
			switch {
			case e.Failure != "":
				return "", &Error{e.Failure}
			case !e.Opened:
				return e.Query, nil
			}
			opened()
		}
	}
}

// Key sends a key of the keypad to the login page: '0' to '9', '#', '*' or 'L'.
func (l *Link) Key(key rune) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.put(task{Key: string(key)})
}

// SetBusy says whether a visit is in progress. Chromium is only started again when none is.
func (l *Link) SetBusy(busy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = busy
	l.put(state(busy))
}

func state(busy bool) task {
	if busy {
		return task{Do: doBusy}
	}
	return task{Do: doRest}
}

// put hands a task to the browser and reports whether there is one. The caller holds mu.
func (l *Link) put(t task) bool {
	if l.browser == nil {
		return false
	}
	select {
	case l.browser <- t:
		return true
	default:
		l.set(nil) // it does not read: its connection ends
		return false
	}
}

// set replaces the connected browser. The caller holds mu.
func (l *Link) set(to chan task) {
	if l.browser != nil {
		close(l.browser)
		for _, results := range l.logins {
			select {
			case results <- end{Failure: Lost}:
			default:
			}
		}
	}
	l.browser = to
	if l.watch != nil {
		l.watch(to != nil)
	}
}

// Handler serves the browser. The caller restricts it to the browser's user, and to
// requests that no foreign page sends (panel.Guard).
func (l *Link) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /browser/tasks", l.serveTasks)
	mux.HandleFunc("POST /browser/results", l.takeResult)
	return mux
}

// serveTasks sends tasks until the browser goes or another one comes.
func (l *Link) serveTasks(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Sec-Fetch-Mode") != "" {
		http.Error(w, "pages get no tasks", http.StatusForbidden)
		return
	}
	tasks := make(chan task, 64)
	l.mu.Lock()
	l.set(tasks)
	l.put(state(l.busy))
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.browser == tasks {
			l.set(nil)
		}
	}()
	w.Header().Set("Content-Type", "application/x-ndjson")
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		var t task
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
		case next, ok := <-tasks:
			if !ok {
				return
			}
			t = next
		}
		text, err := json.Marshal(t)
		if err != nil {
			return
		}
		_, err = w.Write(append(text, '\n'))
		clear(text)
		if err != nil || http.NewResponseController(w).Flush() != nil {
			return
		}
	}
}

// takeResult takes what became of a login.
func (l *Link) takeResult(w http.ResponseWriter, r *http.Request) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		http.Error(w, "a result is application/json", http.StatusUnsupportedMediaType)
		return
	}
	e, err := readEnd(http.MaxBytesReader(w, r.Body, maxResult))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	results := l.logins[e.Login]
	if results == nil {
		http.Error(w, "no such login", http.StatusNotFound)
		return
	}
	select {
	case results <- e:
	default:
	}
	w.WriteHeader(http.StatusNoContent)
}

func readEnd(body io.Reader) (e end, err error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return end{}, fmt.Errorf("cannot read the result: %w", err)
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return end{}, fmt.Errorf("cannot read the result: not JSON of a result")
	}
	if e.Failure != "" && !e.Failure.known() || e.Opened && (e.Query != "" || e.Failure != "") {
		return end{}, fmt.Errorf("cannot read the result: unknown failure")
	}
	return e, nil
}

func (f Failure) known() bool {
	switch f {
	case Navigation, Unreached, Slow, Crashed, Lost:
		return true
	}
	return false
}
