package panel

import (
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"

	"smartkiosk/device/freemem"
)

//go:embed web
var web embed.FS

// maxKeyBody is the maximum body of a key in bytes: {"key":"1"} and some room.
const maxKeyBody = 64

// Handler serves the page and its element under /panel/, only to this machine
// (see Guard):
//
//	GET  /panel/         the page
//	GET  /panel/events   text/event-stream; events frame, lamps and cue, as JSON
//	POST /panel/keys     {"key":"1"}, application/json; the response is 204
//
// A stream ends when its request's context ends, so give the http.Server a
// BaseContext that ends before Shutdown.
func (p *Panel) Handler() http.Handler {
	files, err := fs.Sub(web, "web")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	mux := http.NewServeMux()
	mux.Handle("GET /panel/", http.StripPrefix("/panel", http.FileServerFS(files)))
	mux.HandleFunc("GET /panel/events", p.serveEvents)
	mux.HandleFunc("POST /panel/keys", p.serveKey)
	return Guard(mux)
}

// serveEvents streams the current frame and then every change (WHATWG HTML §9.2,
// server-sent events).
func (p *Panel) serveEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	p.mu.Lock()
	shown, cued := p.shown-1, p.cued // so that the first frame counts as new
	p.mu.Unlock()
	var lit *lamps
	marked := "" // a page begins without a mark
	for {
		p.mu.Lock()
		frame, cue, mark, changed := p.frame, p.cue, p.mark, p.changed
		newFrame, newCue := p.shown != shown, p.cued != cued
		shown, cued = p.shown, p.cued
		p.mu.Unlock()

		if newFrame {
			if err := writeEvent(w, "frame", frame); err != nil {
				return
			}
			if l := frame.lamps(); lit == nil || *lit != l {
				lit = &l
				if err := writeEvent(w, "lamps", l); err != nil {
					return
				}
			}
		}
		if mark != marked {
			marked = mark
			if err := writeEvent(w, "mark", mark); err != nil {
				return
			}
		}
		if newCue {
			if err := writeEvent(w, "cue", cue); err != nil {
				return
			}
		}
		freemem.ClearStack() // a frame may contain a name
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

func writeEvent(w http.ResponseWriter, name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, data); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}

func (p *Panel) serveKey(w http.ResponseWriter, r *http.Request) {
	// A media type that a form of a foreign page cannot send (Fetch
	// §CORS-safelisted).
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		http.Error(w, "a key is application/json", http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxKeyBody))
	if err != nil {
		http.Error(w, "cannot read key: the body is too long or broken off", http.StatusBadRequest)
		return
	}
	key, ok := parseKey(body)
	clear(body)
	if !ok {
		http.Error(w, `cannot read key: want {"key":"1"}, of 0-9 * # L`, http.StatusBadRequest)
		return
	}
	select {
	case p.keys <- key:
		w.WriteHeader(http.StatusNoContent)
	default:
		http.Error(w, "cannot take key: those before it are still waiting", http.StatusServiceUnavailable)
	}
}

// parseKey parses {"key":"1"}. It returns no error text, because that could
// contain the digit.
func parseKey(body []byte) (key rune, ok bool) {
	var sent struct {
		Key string `json:"key"`
	}
	if err := json.Unmarshal(body, &sent); err != nil || len(sent.Key) != 1 {
		return 0, false
	}
	switch key := rune(sent.Key[0]); {
	case key >= '0' && key <= '9', key == '*', key == '#', key == 'L', key == 'R', key == 'V':
		return key, true
	}
	return 0, false
}
