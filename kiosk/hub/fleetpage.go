package hub

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
)

// The fleet page shows an operator how the kiosks are. It only reads, works without scripts,
// and names no holder.

//go:embed fleetpage.html fleetpage.css
var fleetFiles embed.FS

var fleetTemplates = template.Must(template.New("").Funcs(template.FuncMap{"stamp": stamp}).ParseFS(fleetFiles, "fleetpage.html"))

const (
	// kioskSilentAfter is how long a kiosk may be silent before it needs attention. Kiosks ask
	// for their policy every 15 minutes, and the hub notes that every 10 minutes.
	kioskSilentAfter = time.Hour

	historyTime  = 24 * time.Hour
	historyLines = 200 // the newest
)

// fleetKioskRow is one kiosk on the page.
type fleetRow struct {
	Client
	Trouble []string // what needs attention, in words
	Ago     string   // since the kiosk called
	Mark    Mark
}

// fleetView is the page of all kiosks.
type fleetView struct {
	Now                    time.Time
	Query                  string // part of a kiosk's name
	Trouble                bool   // show only kiosks that need attention
	Rows                   []fleetRow
	Kiosks, Calling, InDue int // all; that called lately; that need attention
	Hub                    []string
}

// kioskView is the page of one kiosk.
type kioskView struct {
	Now time.Time
	fleetRow
	Lines []historyLine
	More  bool // there are older ones within historyTime
}

// historyLine is one event of a kiosk.
type historyLine struct {
	Time time.Time
	Type string // without "smartkiosk." and the version
	Text string
}

// fleetPage handles GET /fleet.
func (h *Hub) fleetPage(w http.ResponseWriter, r *http.Request, _ caller) error {
	rows, err := h.fleetRows(r.Context())
	if err != nil {
		return err
	}
	v := fleetView{Now: h.now(), Query: strings.ToLower(strings.TrimSpace(r.URL.Query().Get("q"))), Trouble: r.URL.Query().Get("show") == "trouble", Kiosks: len(rows)}
	for _, row := range rows {
		if v.Now.Sub(row.Seen) < kioskSilentAfter {
			v.Calling++
		}
		if len(row.Trouble) > 0 {
			v.InDue++
		}
		if strings.Contains(row.Name, v.Query) && (!v.Trouble || len(row.Trouble) > 0) {
			v.Rows = append(v.Rows, row)
		}
	}
	if err := h.keeper.refusal(true); err != nil {
		v.Hub = append(v.Hub, "This hub stores nothing: "+err.Error()+".")
	}
	if h.rules.Stale() {
		v.Hub = append(v.Hub, "The rules file has an error. The hub applies the rules that it had before; its log has the error.")
	}
	return writePage(w, "fleet", v)
}

// kioskPage handles GET /fleet/{kiosk}.
func (h *Hub) kioskPage(w http.ResponseWriter, r *http.Request, _ caller) error {
	rows, err := h.fleetRows(r.Context())
	if err != nil {
		return err
	}
	i := slices.IndexFunc(rows, func(row fleetRow) bool { return row.Name == r.PathValue("kiosk") })
	if i < 0 {
		return apihttp.Problem(http.StatusNotFound, hubapi.KindNotFound, "not found", "no kiosk has this name")
	}
	v := kioskView{Now: h.now(), fleetRow: rows[i]}
	if v.Lines, v.More, err = h.historyOf(r.Context(), v.Name); err != nil {
		return err
	}
	return writePage(w, "kiosk", v)
}

// fleetStyle handles GET /fleet.css.
func fleetStyle(w http.ResponseWriter, _ *http.Request, _ caller) error {
	text, err := fleetFiles.ReadFile("fleetpage.css")
	if err != nil {
		return err
	}
	apihttp.Write(w, http.StatusOK, "text/css; charset=utf-8", text)
	return nil
}

func writePage(w http.ResponseWriter, name string, view any) error {
	var text strings.Builder
	if err := fleetTemplates.ExecuteTemplate(&text, name, view); err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	apihttp.Write(w, http.StatusOK, "text/html; charset=utf-8", []byte(text.String()))
	return nil
}

// fleetRows describes all kiosks that were not removed: those that need attention first, then
// by name.
func (h *Hub) fleetRows(ctx context.Context) ([]fleetRow, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	marks, err := h.identities.registry.marks(ctx)
	if err != nil {
		return nil, err
	}
	now := h.now()
	var rows []fleetRow
	for id, e := range h.identities.all() {
		if id.Role != hubapi.RoleKiosk || !e.Removed.IsZero() {
			continue
		}
		seen := h.sightings.of(id.Name)
		row := fleetRow{Client: describeClient(id.Name, e, now), Mark: marks[id.Name]}
		row.Seen, row.Host = seen.Last, seen.Host
		if now.Sub(seen.Twin) < twinMemory {
			row.Twin, row.Addresses = seen.Twin, []string{seen.Address, seen.Before}
		}
		row.describe(now)
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b fleetRow) int {
		return cmp.Or(cmp.Compare(min(1, len(b.Trouble)), min(1, len(a.Trouble))), cmp.Compare(a.Name, b.Name))
	})
	return rows, nil
}

// describe says in words what needs attention.
func (r *fleetRow) describe(now time.Time) {
	r.Ago = "never"
	if !r.Seen.IsZero() {
		r.Ago = words(now.Sub(r.Seen)) + " ago"
		if now.Sub(r.Seen) >= kioskSilentAfter {
			r.Trouble = append(r.Trouble, "silent for "+words(now.Sub(r.Seen)))
		}
	}
	if !r.Twin.IsZero() {
		r.Trouble = append(r.Trouble, fmt.Sprintf("two machines use its identity, at %s and %s", r.Addresses[0], r.Addresses[1]))
	}
	switch r.State {
	case Expired:
		r.Trouble = append(r.Trouble, "its certificate has expired")
	case Ending:
		r.Trouble = append(r.Trouble, "its certificate ends in "+words(r.NotAfter.Sub(now)))
	}
	if r.Mark.Alarms > 0 && now.Sub(r.Mark.Last) < historyTime {
		r.Trouble = append(r.Trouble, "alarm "+words(now.Sub(r.Mark.Last))+" ago: "+r.Mark.Detail)
	}
}

// words returns a duration in its largest unit, such as "3 hours".
func words(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := int(d / unit.length); n == 1 {
			return "1 " + unit.name
		} else if n > 1 {
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return "less than a minute"
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// historyOf returns the newest events of a kiosk and the hub's alarms about it, the newest
// first.
func (h *Hub) historyOf(ctx context.Context, kioskID string) (lines []historyLine, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	since := h.now().Add(-historyTime)
	reader, err := h.js.OrderedConsumer(ctx, eventsStream, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{eventsSubject + kioskID, eventsSubject + kioskID + ".>", alarmsSubject + kioskID},
		DeliverPolicy:  jetstream.DeliverByStartTimePolicy, OptStartTime: &since,
	})
	if err != nil {
		return nil, false, storeError{err}
	}
	for {
		fetched, err := reader.FetchNoWait(hubapi.MaxEvents)
		if err != nil {
			return nil, false, storeError{err}
		}
		got := 0
		for msg := range fetched.Messages() {
			got++
			for _, text := range readMessage(msg.Data()) {
				lines = append(lines, newHistoryLine(text))
			}
			if len(lines) > historyLines {
				lines, more = slices.Delete(lines, 0, len(lines)-historyLines), true
			}
		}
		if err := fetched.Error(); err != nil && !errors.Is(err, jetstream.ErrNoMessages) {
			return nil, false, storeError{err}
		}
		if got == 0 {
			slices.Reverse(lines)
			return lines, more, nil
		}
	}
}

// newHistoryLine says what an event is about, without what is personal in it.
func newHistoryLine(text []byte) historyLine {
	var e struct {
		Type string
		Time time.Time
		Data struct {
			Outcome, Reason, Result, Why, Level, State, Part, Version, Kind, Detail, Problem string
			Offline                                                                          bool
		}
	}
	_ = json.Unmarshal(text, &e) // what cannot be read is left out
	d := e.Data
	parts := []string{d.Outcome, d.Result, d.Why, d.Kind, d.Level, d.Part, d.State, d.Version, d.Reason, d.Detail, d.Problem}
	if d.Offline {
		parts = append(parts, "offline")
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	kind := strings.TrimPrefix(e.Type, "smartkiosk.")
	if i := strings.LastIndex(kind, ".v"); i > 0 {
		kind = kind[:i]
	}
	return historyLine{Time: e.Time, Type: kind, Text: strings.Join(parts, ", ")}
}
