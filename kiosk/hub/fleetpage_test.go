package hub

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// page returns what a browser gets.
func (p *party) page(path string) (resp *http.Response, text string) {
	p.t.Helper()
	return p.get(p.url + path)
}

// An operator sees which kiosks need attention and why. The hub refuses other clients.
func TestFleetPage(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, k2 := b.kiosk(url, "lobby-1"), b.kiosk(url, "lobby-2")
	b.kiosk(url, "store-9")
	office, watch := b.consumer(url, "office"), b.operator(url, "watch")
	k1.nonce()
	b.advance(3 * time.Hour)
	k2.nonce()

	resp, text := watch.page("/fleet")
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("status %d: %s", resp.StatusCode, text)
	}
	if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy of the page is %q", policy)
	}
	for _, want := range []string{
		"<dt>kiosks</dt><dd>3</dd>", "<dt>called within an hour</dt><dd>1</dd>", "<dt>need attention</dt><dd>1</dd>",
		"silent for 3 hours", "less than a minute ago", ">never<",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if first, second := strings.Index(text, ">lobby-1<"), strings.Index(text, ">lobby-2<"); first < 0 || second < first {
		t.Error("the kiosk that needs attention is not the first")
	}
	if _, text := watch.page("/fleet?q=STORE"); strings.Contains(text, "lobby-1") || !strings.Contains(text, "store-9") {
		t.Errorf("the filter by name shows\n%s", text)
	}
	if _, text := watch.page("/fleet?show=trouble"); !strings.Contains(text, "lobby-1") || strings.Contains(text, "lobby-2") {
		t.Errorf("the filter by attention shows\n%s", text)
	}
	if _, text := watch.page(`/fleet?q="><script>`); strings.Contains(text, "<script>") || !strings.Contains(text, "No kiosk matches.") {
		t.Errorf("a query that looks like HTML shows\n%s", text)
	}
	if resp, text := watch.page("/fleet.css"); resp.StatusCode != http.StatusOK || !strings.Contains(text, "body {") {
		t.Errorf("the style: status %d", resp.StatusCode)
	}
	for _, other := range []*party{k1, office} {
		for _, path := range []string{"/fleet", "/fleet/lobby-1", "/fleet.css"} {
			if resp, _ := other.page(path); resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s gets %s: status %d", other.id, path, resp.StatusCode)
			}
		}
	}
}

// The page of a kiosk shows its events without the holder, and alarms about it.
func TestKioskPage(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	h := b.open()
	k1, k2, watch := b.kiosk(url, "k1"), b.kiosk(url, "k2"), b.operator(url, "watch")
	visit := event.Visit{
		Visit: "v1", Outcome: kiosk.Granted, Authenticated: true,
		Holder: &kiosk.Holder{ID: "UN:NO-9578-4050-900000001", Name: "Kari Testesen", Domain: "buypass"},
	}
	k1.send(k1.visits(b.now(), visit, event.Visit{Visit: "v2", Outcome: kiosk.Denied, Reason: kiosk.Revoked, Offline: true}), 2)
	k2.send(k2.visits(b.now(), event.Visit{Visit: "v3", Outcome: kiosk.Failed, Reason: kiosk.HubSilent}), 1)
	if err := h.alarm(t.Context(), "a", event.Alarm{Kiosk: "k1", Kind: event.AlarmTwin, Detail: "<b>two machines</b>"}); err != nil {
		t.Fatal(err)
	}
	resp, text := watch.page("/fleet/k1")
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", resp.StatusCode, text)
	}
	for _, want := range []string{
		">visit</td><td data-name=\"What\">granted</td>", ">denied, revoked, offline</td>",
		">alarm</td><td data-name=\"What\">twin, &lt;b&gt;two machines&lt;/b&gt;</td>", "alarm less than a minute ago",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, not := range []string{"Kari", "900000001", "hub-silent", "<b>"} {
		if strings.Contains(text, not) {
			t.Errorf("the page contains %q", not)
		}
	}
	if granted, denied := strings.Index(text, "granted"), strings.Index(text, "denied, revoked"); denied > granted {
		t.Error("the newest event is not the first")
	}
	b.advance(25 * time.Hour)
	if resp, text := watch.page("/fleet/k9"); resp.StatusCode != http.StatusNotFound || !strings.Contains(text, string(hubapi.KindNotFound)) {
		t.Errorf("no such kiosk: status %d: %s", resp.StatusCode, text)
	}
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		59 * time.Second: "less than a minute", time.Minute: "1 minute", 59 * time.Minute: "59 minutes",
		time.Hour: "1 hour", 47 * time.Hour: "1 day", 48 * time.Hour: "2 days",
	} {
		if got := words(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
