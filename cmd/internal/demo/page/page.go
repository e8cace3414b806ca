// Package page is the demo's web page: the front panel with a card slot, a choice of
// cards, a switch that disconnects the hub, and the feed that a backend gets. The
// page acts only through Controls.
package page

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"sync"

	"smartkiosk/device/panel"
)

//go:embed web
var web embed.FS

// Card is a card that can be inserted.
type Card struct {
	Name        string `json:"name"` // as in scripts: valid, expired, …
	Title       string `json:"title"`
	Description string `json:"description"`
}

// Controls is the demo behind the page. Its methods are safe for concurrent use.
type Controls interface {
	// Cards returns the cards to choose from, in the order in which to show them.
	Cards() []Card
	// Inserted returns the name of the inserted card, or "".
	Inserted() string
	// Insert inserts a card and removes the one that was in before. It fails if the
	// card does not exist.
	Insert(name string) error
	// Remove removes the card if there is one.
	Remove()
	// PhonePage returns the port and path of the page that a phone opens for the login in
	// progress, ":port/path" on loopback; "" if no login is in progress. The channel is closed when
	// that changes.
	PhonePage() (page string, changed <-chan struct{})
	HubReachable() bool
	SetHubReachable(bool)
	// Feed sends the events that a backend pulls, each as a CloudEvent in JSON: first
	// the past ones, then each new one. It closes the channel when ctx ends.
	Feed(ctx context.Context) <-chan json.RawMessage
}

// maxBody limits the body of a request, in bytes.
const maxBody = 1024

type handler struct {
	controls Controls

	mu      sync.Mutex
	changed chan struct{} // closed when somebody has changed the state
}

// state is what the page draws next to the panel.
type state struct {
	Cards        []Card `json:"cards"`
	Inserted     string `json:"inserted"`
	HubReachable bool   `json:"hubReachable"`
	Phone        string `json:"phone"` // see Controls.PhonePage
}

// Handler serves the page at / and its panel at /panel/, to this machine only (see
// panel.Guard):
//
//	GET    /             the page
//	GET    /demo/events  text/event-stream; events state and feed, as JSON
//	PUT    /demo/card    {"name":"valid"}, application/json; answers 204
//	DELETE /demo/card    answers 204
//	PUT    /demo/hub     {"reachable":false}, application/json; answers 204
//
// A stream ends when its request's context does: give the http.Server a
// BaseContext that ends before Shutdown.
func Handler(c Controls, p *panel.Panel) http.Handler {
	files, err := fs.Sub(web, "web")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	h := &handler{controls: c, changed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.Handle("/", framesPhone(http.FileServerFS(files)))
	mux.Handle("/panel/", p.Handler())
	mux.HandleFunc("GET /demo/events", h.serveEvents)
	mux.HandleFunc("PUT /demo/card", h.insert)
	mux.HandleFunc("DELETE /demo/card", h.remove)
	mux.HandleFunc("PUT /demo/hub", h.setHub)
	return panel.Guard(mux)
}

// framesPhone lets the page show the page for phones, which is at another port of this
// machine.
func framesPhone(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		policy := w.Header().Get("Content-Security-Policy") + "; frame-src http://127.0.0.1:* http://localhost:*"
		w.Header().Set("Content-Security-Policy", policy)
		next.ServeHTTP(w, r)
	})
}

func (h *handler) state() (now state, changed, phone <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	page, phone := h.controls.PhonePage()
	return state{h.controls.Cards(), h.controls.Inserted(), h.controls.HubReachable(), page}, h.changed, phone
}

// done answers a request that changed something, and notifies every page.
func (h *handler) done(w http.ResponseWriter) {
	h.mu.Lock()
	close(h.changed)
	h.changed = make(chan struct{})
	h.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

func (h *handler) insert(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Name *string }
	if !read(w, r, &asked) {
		return
	}
	if asked.Name == nil {
		http.Error(w, `cannot insert a card: want {"name":"…"}`, http.StatusBadRequest)
		return
	}
	if err := h.controls.Insert(*asked.Name); err != nil {
		http.Error(w, fmt.Sprintf("cannot insert the card: %v", err), http.StatusNotFound)
		return
	}
	h.done(w)
}

func (h *handler) remove(w http.ResponseWriter, _ *http.Request) {
	h.controls.Remove()
	h.done(w)
}

func (h *handler) setHub(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Reachable *bool }
	if !read(w, r, &asked) {
		return
	}
	if asked.Reachable == nil {
		http.Error(w, `cannot set the hub: want {"reachable":true} or false`, http.StatusBadRequest)
		return
	}
	h.controls.SetHubReachable(*asked.Reachable)
	h.done(w)
}

// read decodes a request's JSON. If it cannot, it answers with the error.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		http.Error(w, "the body must be application/json", http.StatusUnsupportedMediaType)
		return false
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		http.Error(w, fmt.Sprintf("cannot read the body: %v", err), http.StatusBadRequest)
		return false
	}
	return true
}

// serveEvents streams the state at each change, and the feed from its beginning, as
// server-sent events (WHATWG HTML §9.2).
func (h *handler) serveEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	feed := h.controls.Feed(r.Context())
	now, changed, phone := h.state()
	if err := writeState(w, now); err != nil {
		return
	}
	for {
		select {
		case <-changed:
			now, changed, phone = h.state()
			if err := writeState(w, now); err != nil {
				return
			}
		case <-phone:
			now, changed, phone = h.state()
			if err := writeState(w, now); err != nil {
				return
			}
		case event, ok := <-feed:
			if !ok {
				feed = nil // the feed has ended; the state has not
				continue
			}
			if err := writeEvent(w, "feed", event); err != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

func writeState(w http.ResponseWriter, s state) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return writeEvent(w, "state", data)
}

func writeEvent(w http.ResponseWriter, name string, data []byte) error {
	var line bytes.Buffer // an event's data is one line
	if err := json.Compact(&line, data); err != nil {
		return fmt.Errorf("cannot send event: %v", err)
	}
	if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, line.Bytes()); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}
