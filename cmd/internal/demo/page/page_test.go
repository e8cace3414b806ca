package page

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

func request(t *testing.T, method, url, contentType, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	data, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.StatusCode, strings.TrimSpace(string(data))
}

// events opens the page's stream. Each call of the returned function returns the
// next event.
func events(t *testing.T, url string) func() (name, data string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url+"/demo/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Body.Close() })
	lines := bufio.NewScanner(w.Body)
	return func() (name, data string) {
		t.Helper()
		for lines.Scan() && lines.Text() != "" {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			if field == "event" {
				name = value
			} else {
				data = value
			}
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
		return name, data
	}
}

func TestEvents(t *testing.T) {
	k, url := serveFake(t, nil)
	if err := k.Insert("expired"); err != nil { // an event of before
		t.Fatal(err)
	}
	next := events(t, url)
	wantState := func(want state) {
		t.Helper()
		name, data := next()
		var got state
		if err := json.Unmarshal([]byte(data), &got); err != nil || name != "state" {
			t.Fatalf("%s %s: %v", name, data, err)
		}
		if len(got.Cards) != len(fakeCards) || got.Inserted != want.Inserted || got.HubReachable != want.HubReachable {
			t.Errorf("state %+v, want %+v", got, want)
		}
	}
	wantState(state{Inserted: "expired", HubReachable: true})
	if name, data := next(); name != "feed" || !strings.Contains(data, `"reason":"expired"`) {
		t.Fatalf("got %s %s, want the past event", name, data)
	}
	if status, answer := request(t, "PUT", url+"/demo/hub", "application/json", `{"reachable":false}`); status != 204 || answer != "" {
		t.Fatalf("%d %s", status, answer)
	}
	wantState(state{Inserted: "expired"})
	if status, answer := request(t, "DELETE", url+"/demo/card", "", ""); status != 204 || answer != "" {
		t.Fatalf("%d %s", status, answer)
	}
	wantState(state{})
	if status, answer := request(t, "PUT", url+"/demo/card", "application/json", `{"name":"mute"}`); status != 204 || answer != "" {
		t.Fatalf("%d %s", status, answer)
	}
	seen := map[string]string{}
	for range 2 { // in either order
		name, data := next()
		seen[name] = data
	}
	if !strings.Contains(seen["state"], `"inserted":"mute"`) || !strings.Contains(seen["feed"], `"reason":"card-mute"`) {
		t.Errorf("after an insertion: %v", seen)
	}
}

func TestBadRequests(t *testing.T) {
	k, url := serveFake(t, nil)
	for _, tt := range []struct {
		method, path, contentType, body string
		status                          int
		want                            string
	}{
		{"PUT", "/demo/card", "application/json", `{"name":"golden"}`, 404, "cannot insert the card: there is no such card"},
		{"PUT", "/demo/card", "application/json", `{}`, 400, `cannot insert a card: want {"name":"…"}`},
		{"PUT", "/demo/card", "application/json", `{"nme":"valid"}`, 400, `cannot read the body: json: unknown field "nme"`},
		{"PUT", "/demo/card", "application/json", `{"name":"` + strings.Repeat("v", maxBody) + `"}`, 400, "cannot read the body: http: request body too large"},
		{"PUT", "/demo/card", "text/plain", `{"name":"valid"}`, 415, "the body must be application/json"},
		{"PUT", "/demo/hub", "application/json", `{"reachable":"no"}`, 400, "cannot read the body: json: cannot unmarshal"},
		{"PUT", "/demo/hub", "application/json", `{}`, 400, `cannot set the hub: want {"reachable":true} or false`},
		{"GET", "/demo/nothing", "", "", 404, ""},
	} {
		status, answer := request(t, tt.method, url+tt.path, tt.contentType, tt.body)
		if status != tt.status || !strings.HasPrefix(answer, tt.want) {
			t.Errorf("%s %s %.40s: %d %s, want %d %s", tt.method, tt.path, tt.body, status, answer, tt.status, tt.want)
		}
	}
	if k.Inserted() != "" || !k.HubReachable() {
		t.Error("a refused request did something")
	}
}

// TestGuarded checks that the page, like the panel in it, is served to this machine
// only.
func TestGuarded(t *testing.T) {
	_, url := serveFake(t, nil)
	for _, path := range []string{"/", "/page.js", "/demo/events", "/panel/events"} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "rebind.example"
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		w.Body.Close()
		if w.StatusCode != http.StatusForbidden || w.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s under a foreign name: %s", path, w.Status)
		}
	}
}
