package hub

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	root "smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/est"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// The test gets every answer that the document lists. againstDocument checks that each
// answer matches the document.
func TestEveryAnswerOfTheDocument(t *testing.T) {
	const (
		challenges      = "/v1/challenges"
		authentications = "/v1/authentications"
		events          = "/v1/events"
		policyPath      = "/v1/kiosk"
		known           = "/v1/known"
		crls            = "/v1/crls/{digest}"
		updates         = "/v1/updates/{digest}"
		doctor          = "/v1/doctor"
		feed            = "/v1/feed/{consumer}"
		ack             = "/v1/feed/{consumer}/ack"
		openapi         = "/v1/openapi.yaml"
		health          = "/healthz"
		setup           = "/v1/setup"
		logins          = "/v1/logins"
		pageLogins      = "/v1/page-logins"
		login           = "/v1/logins/{login}"
		digits          = "/v1/logins/{login}/digits"
		answer          = "/v1/logins/{login}/answer"
		documents       = "/v1/documents"
		contents        = "/v1/documents/content"
		signatures      = "/v1/signatures"
		signed          = "/v1/signatures/{document}"
		json            = "application/json"
	)
	b := newBed(t)
	writeBrokers(t, b.dir, "https://login.example", "https://broker.example")
	url := b.serve()
	leaving := b.kiosk(url, "k7")
	kiosk, consumer, operator := b.kiosk(url, "k1"), b.consumer(url, "office"), b.operator(url, "watch")
	long := strings.Repeat(" ", hubapi.MaxRequestBody+1)
	good := array(kiosk.events(2))
	gap := array(kiosk.events(2)[1:])
	question := `{"visit":"v","nonce":"n","token":{}}`

	newcomer := &party{t: t, url: url, tls: &tls.Config{RootCAs: kiosk.tls.RootCAs}}
	request := string(est.Encode(requestOf(t, kiosk.tls.Certificates[0])))
	codes := map[string]string{} // by what is wrong with it; "" for none
	codes["locked"] = b.code("k3")
	codes[""] = b.code("k2")
	k2 := string(est.Encode(requestFor(t, hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k2"}, mustKey(t))))

	lost := newBed(t)
	lostURL := lost.serve()
	lostHub := lost.open()
	away, awayConsumer := lost.kiosk(lostURL, "k1"), lost.consumer(lostURL, "office")
	lost.conn.Close()

	hub := b.open()
	text := addText(t, hub, "valid", letter)
	ticketOf := func(h *Hub) string {
		text, err := h.documents.issue(ticket{Kiosk: "k1", Visit: "v", Holder: root.Holder{ID: text.Holder}, Until: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	mine, lostTicket := ticketOf(hub), ticketOf(lostHub)
	asked := func(ticket, more string) string { return `{"ticket":"` + ticket + `"` + more + `}` }
	refuse := `,"document":"` + text.ID + `","decision":"refused","signature":null,"time":"2026-11-29T12:00:00Z"`
	done := addText(t, hub, "valid", letter)
	done.Decision, done.Signature = root.DecisionSigned, []byte("signature")
	if _, err := hub.documents.Decide(t.Context(), done); err != nil {
		t.Fatal(err)
	}

	begun, err := kiosk.BeginLogin(t.Context(), "v", "nb")
	if err != nil {
		t.Fatal(err)
	}
	unknown := strings.Repeat("0", 32)

	cases := []struct {
		who                       *party
		method, path, media, body string
		status                    int
	}{
		{kiosk, "POST", challenges, "", "", 201},
		{consumer, "POST", challenges, "", "", 403},
		{kiosk, "POST", challenges, "", long, 413},
		{away, "POST", challenges, "", "", 503},

		{kiosk, "POST", authentications, json, question, 200},
		{kiosk, "POST", authentications, json, `{"visit":"v"}`, 400},
		{kiosk, "POST", authentications, json, `{"visit":"v","nonce":"n","token":{},"granted":true}`, 400},
		{kiosk, "POST", authentications, json, `{"visit":"v","token":{}}`, 400},
		{kiosk, "POST", authentications, json, `{"visit":"v","nonce":null,"token":{}}`, 400},
		{kiosk, "POST", authentications, json, `{"Visit":"v","nonce":"n","token":{}}`, 400},
		{kiosk, "POST", authentications, json, `[]`, 400},
		{kiosk, "POST", authentications, json, question + question, 400},
		{kiosk, "POST", authentications, json, `{"visit":"` + long[:65] + `","nonce":"n","token":{}}`, 400},
		{kiosk, "POST", authentications, json, `{"visit":"v","nonce":"` + long[:65] + `","token":{}}`, 400},
		{consumer, "POST", authentications, json, question, 403},
		{kiosk, "POST", authentications, json, question + long, 413},
		{kiosk, "POST", authentications, "text/plain", question, 415},
		{kiosk, "POST", authentications, "", question, 415},
		{away, "POST", authentications, json, `{"visit":"v","nonce":"` + strings.Repeat("A", 43) + `=","token":{}}`, 503},

		{kiosk, "GET", login, "", "", 200},
		{kiosk, "GET", login + "?wait=x", "", "", 400},
		{consumer, "GET", login, "", "", 403},
		{kiosk, "GET", strings.Replace(login, "{login}", unknown, 1), "", "", 404},
		{kiosk, "POST", digits, json, `{"digits":"0000"}`, 200},
		{kiosk, "POST", digits, json, `{"digits":"00000"}`, 400},
		{consumer, "POST", digits, json, `{"digits":"0000"}`, 403},
		{kiosk, "POST", strings.Replace(digits, "{login}", unknown, 1), json, `{"digits":"0000"}`, 404},
		{kiosk, "POST", answer, json, `{"query":"state=s&code=c"}`, 200},
		{kiosk, "POST", answer, json, `{"query":7}`, 400},
		{consumer, "POST", answer, json, `{"query":""}`, 403},
		{kiosk, "POST", strings.Replace(answer, "{login}", unknown, 1), json, `{"query":""}`, 404},
		{kiosk, "DELETE", login, "", "", 200},
		{consumer, "DELETE", login, "", "", 403},
		{kiosk, "DELETE", strings.Replace(login, "{login}", unknown, 1), "", "", 404},
		{kiosk, "POST", logins, json, `{"visit":"v","language":"nb","purpose":"entry"}`, 201},
		{kiosk, "POST", logins, json, `{"visit":"v","language":"nb","purpose":"payment"}`, 400},
		{kiosk, "POST", pageLogins, json, `{"visit":"v","language":"nb","purpose":"entry"}`, 201},
		{kiosk, "POST", pageLogins, json, `{"visit":"","language":"nb","purpose":"entry"}`, 400},
		{consumer, "POST", pageLogins, json, `{}`, 403},
		{away, "POST", pageLogins, json, `{"visit":"v","language":"nb","purpose":"entry"}`, 404},
		{consumer, "POST", logins, json, `{}`, 403},
		{away, "POST", logins, json, `{"visit":"v","language":"nb","purpose":"entry"}`, 404},

		{kiosk, "POST", documents, json, asked(mine, ""), 200},
		{kiosk, "POST", documents, json, `{}`, 400},
		{kiosk, "POST", documents, json, asked("e30.e30", ""), 403},
		{consumer, "POST", documents, json, asked(mine, ""), 403},
		{away, "POST", documents, json, asked(lostTicket, ""), 503},
		{kiosk, "POST", contents, json, asked(mine, `,"document":"`+text.ID+`"`), 200},
		{kiosk, "POST", contents, json, asked(mine, ""), 400},
		{consumer, "POST", contents, json, asked(mine, `,"document":"x"`), 403},
		{kiosk, "POST", contents, json, asked(mine, `,"document":"x"`), 404},
		{away, "POST", contents, json, asked(lostTicket, `,"document":"`+text.ID+`"`), 503},
		{kiosk, "POST", signatures, json, asked(mine, `,"document":"x","decision":"signed","signature":null,"time":"2026-11-29T12:00:00Z"`), 400},
		{consumer, "POST", signatures, json, asked(mine, refuse), 403},
		{away, "POST", signatures, json, asked(lostTicket, refuse), 503},
		{kiosk, "POST", signatures, json, asked(mine, refuse), 200},
		{kiosk, "POST", signatures, json, asked(mine, `,"document":"x","decision":"refused","signature":"","time":"2026-11-29T12:00:00Z"`), 200},
		{consumer, "GET", strings.Replace(signed, "{document}", done.ID, 1), "", "", 200},
		{kiosk, "GET", signed, "", "", 403},
		{consumer, "GET", strings.Replace(signed, "{document}", "none", 1), "", "", 404},

		{kiosk, "POST", events, hubapi.MediaEvents, good, 200},
		{kiosk, "POST", events, hubapi.MediaEvents, `[]`, 200},
		{kiosk, "POST", events, hubapi.MediaEvents, `[{]`, 400},
		{kiosk, "POST", events, hubapi.MediaEvents, `null`, 400},
		{kiosk, "POST", events, hubapi.MediaEvents, `{}`, 400},
		{consumer, "POST", events, hubapi.MediaEvents, `[]`, 403},
		{kiosk, "POST", events, hubapi.MediaEvents, gap, 409},
		{kiosk, "POST", events, hubapi.MediaEvents, strings.Repeat(" ", hubapi.MaxEventsBody+1), 413},
		{kiosk, "POST", events, hubapi.MediaEvents, `[` + strings.Repeat("{},", hubapi.MaxEvents) + `{}]`, 413},
		{kiosk, "POST", events, json, good, 415},
		{kiosk, "POST", events, hubapi.MediaEvents, `[{}]`, 422},
		{away, "POST", events, hubapi.MediaEvents, `[]`, 503},

		{kiosk, "GET", policyPath, "", "", 200},
		{consumer, "GET", policyPath, "", "", 403},
		{leaving, "DELETE", policyPath, "", "", 200},
		{consumer, "DELETE", policyPath, "", "", 403},
		{away, "DELETE", policyPath, "", "", 503},
		{kiosk, "GET", known, "", "", 200},
		{consumer, "GET", known, "", "", 403},
		{kiosk, "GET", crls, "", "", 200},
		{kiosk, "GET", strings.Replace(crls, "{digest}", strings.Repeat("0", 64), 1), "", "", 404},
		{consumer, "GET", crls, "", "", 403},
		{kiosk, "POST", doctor, json, `{"question":"q1","report":{"checks":[]}}`, 204},
		{kiosk, "POST", doctor, json, `{"question":"q1","report":[]}`, 400},
		{kiosk, "POST", doctor, json, `{"question":"q1"}`, 400},
		{consumer, "POST", doctor, json, `{"question":"q1","report":{}}`, 403},
		{kiosk, "POST", doctor, json, `{"question":"q2","report":{}}`, 404},
		{kiosk, "POST", doctor, json, `{"question":"q1","report":{"checks":"` + strings.Repeat("x", maxReport) + `"}}`, 413},
		{kiosk, "POST", doctor, "text/plain", `{"question":"q1","report":{}}`, 415},
		{away, "POST", doctor, json, `{"question":"q1","report":{}}`, 503},
		{kiosk, "GET", strings.Replace(updates, "{digest}", "{update}", 1), "", "", 200},
		{kiosk, "GET", strings.Replace(updates, "{digest}", strings.Repeat("0", 64), 1), "", "", 404},
		{consumer, "GET", updates, "", "", 403},

		{consumer, "GET", feed, "", "", 200},
		{consumer, "GET", feed + "?after=0&type=smartkiosk.visit.v1&type=smartkiosk.alarm.v1&kiosk=k1&domain=test", "", "", 200},
		{consumer, "GET", feed + "?since=2026-11-29T12:00:00Z", "", "", 200},
		{consumer, "GET", feed + "?kiosks=k1", "", "", 400},
		{consumer, "GET", feed + "?max=0", "", "", 400},
		{consumer, "GET", feed + "?max=1001", "", "", 400},
		{consumer, "GET", feed + "?max=%2B1", "", "", 400},
		{consumer, "GET", feed + "?wait=61", "", "", 400},
		{consumer, "GET", feed + "?wait=soon", "", "", 400},
		{kiosk, "GET", feed, "", "", 403},
		{consumer, "GET", strings.Replace(feed, "{consumer}", "other", 1), "", "", 403},
		{awayConsumer, "GET", feed, "", "", 503},

		{consumer, "POST", ack, json, `{"cursor":"0"}`, 204},
		{consumer, "POST", ack, json, `{"cursor":"x"}`, 400},
		{consumer, "POST", ack, json, `{"cursor":"999"}`, 400},
		{kiosk, "POST", ack, json, `{"cursor":"0"}`, 403},
		{consumer, "POST", strings.Replace(ack, "{consumer}", "other", 1), json, `{"cursor":"0"}`, 403},
		{consumer, "POST", ack, json, long, 413},
		{consumer, "POST", ack, "", `{"cursor":"0"}`, 415},
		{awayConsumer, "POST", ack, json, `{"cursor":"0"}`, 503},

		{kiosk, "GET", openapi, "", "", 200},
		{consumer, "GET", openapi, "", "", 200},
		{operator, "GET", openapi, "", "", 403},

		{operator, "GET", health, "", "", 200},
		{away, "GET", health, "", "", 503},

		{operator, "GET", "/fleet", "", "", 200},
		{kiosk, "GET", "/fleet", "", "", 403},
		{operator, "GET", "/fleet/k1", "", "", 200},
		{operator, "GET", "/fleet/unknown", "", "", 404},
		{kiosk, "GET", "/fleet/k1", "", "", 403},
		{operator, "GET", "/fleet.css", "", "", 200},
		{kiosk, "GET", "/fleet.css", "", "", 403},
		{operator, "GET", "/metrics", "", "", 200},
		{kiosk, "GET", "/metrics", "", "", 403},
		{kiosk, "GET", setup, "", "", 200},
		{consumer, "GET", setup, "", "", 403},
		{newcomer, "GET", setup, "", "", 403},
		{newcomer, "GET", est.PathCACerts, "", "", 200},
		{consumer, "GET", est.PathCACerts, "", "", 200},
		{newcomer, "POST", est.PathSimpleReenroll, est.MediaRequest, request, 403},
		{kiosk, "POST", est.PathSimpleReenroll, est.MediaRequest, request, 200},
		{kiosk, "POST", est.PathSimpleReenroll, est.MediaRequest, "%", 400},
		{kiosk, "POST", est.PathSimpleReenroll, est.MediaRequest, k2, 400},
		{kiosk, "POST", est.PathSimpleReenroll, est.MediaRequest, long, 413},
		{kiosk, "POST", est.PathSimpleReenroll, json, request, 415},
		{away, "POST", est.PathSimpleReenroll, est.MediaRequest, request, 503},
		{newcomer, "POST", est.PathSimpleEnroll, est.MediaRequest, k2, 401},

		{kiosk, "DELETE", events, "", "", 405},
		{operator, "GET", "/", "", "", 404},
		{kiosk, "GET", "/v2/challenges", "", "", 404},
	}
	doc, _ := document(t)
	missing := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status := range op.Responses.Map() {
				if status != "default" {
					missing[method+" "+path+" "+status] = true
				}
			}
		}
	}
	for range codeAttempts {
		newcomer.enrol("k3", "AAAAAAAA", est.MediaRequest, k2)
	}
	nowhere := &party{t: t, url: lostURL, tls: &tls.Config{RootCAs: away.tls.RootCAs}}
	for _, c := range []struct {
		who                     *party
		name, code, media, body string
		status                  int
	}{
		{newcomer, "k2", "AAAAAAAA", est.MediaRequest, k2, 401},
		{newcomer, "K/2", "AAAAAAAA", est.MediaRequest, k2, 401},
		{newcomer, "k9", codes[""], est.MediaRequest, k2, 401},
		{newcomer, "k3", codes["locked"], est.MediaRequest, k2, 403},
		{newcomer, "k2", codes[""], est.MediaRequest, request, 400}, // a request of k1
		{newcomer, "k2", codes[""], est.MediaRequest, long, 413},
		{newcomer, "k2", codes[""], json, k2, 415},
		{newcomer, "k2", codes[""], est.MediaRequest, k2, 200},
		{newcomer, "k2", codes[""], est.MediaRequest, k2, 200}, // the answer was lost
		{nowhere, "k2", codes[""], est.MediaRequest, k2, 503},
	} {
		if status := c.who.enrol(c.name, c.code, c.media, c.body).StatusCode; status != c.status {
			t.Errorf("enrol %s: status %d, want %d", c.name, status, c.status)
		}
		delete(missing, "POST "+est.PathSimpleEnroll+" "+strconv.Itoa(c.status))
	}
	for _, path := range []string{policyPath, known} {
		tag := kiosk.raw("GET", path, "", "").Header.Get("ETag")
		if resp := kiosk.raw("GET", path, "", "", "If-None-Match", tag); resp.StatusCode != 304 {
			t.Errorf("%s, when it is known: status %d", path, resp.StatusCode)
		}
		delete(missing, "GET "+path+" 304")
	}
	b.ask("k1", "q1")
	update, _ := b.addRollout("1.5.0", 1, 0, "100%")
	eventually(t, func() error {
		if b.policy(kiosk).Update == nil {
			return errors.New("the update is not offered yet")
		}
		return nil
	})
	for wanted, status := range map[string]int{"bytes=0-9": 206, "bytes=9999999-": 416} {
		if resp := kiosk.raw("GET", strings.Replace(updates, "{digest}", update.Digest, 1), "", "", "Range", wanted); resp.StatusCode != status {
			t.Errorf("%s of an update: status %d, want %d", wanted, resp.StatusCode, status)
		}
		delete(missing, "GET "+updates+" "+strconv.Itoa(status))
	}
	digest := b.policy(kiosk).CRLs[0].Digest
	for _, c := range cases {
		path := strings.NewReplacer("{consumer}", "office", "{digest}", digest, "{update}", update.Digest, "{login}", begun.ID).Replace(c.path)
		resp := c.who.raw(c.method, path, c.media, c.body)
		if resp.StatusCode != c.status {
			text, _ := io.ReadAll(resp.Body)
			t.Errorf("%s %s: got status %d, want %d: %s", c.method, c.path, resp.StatusCode, c.status, text)
		}
		if media := resp.Header.Get("Content-Type"); c.status >= 400 && media != hubapi.MediaProblem {
			t.Errorf("%s %s: status %d has the media type %q", c.method, c.path, c.status, media)
		}
		template, _, _ := strings.Cut(c.path, "?")
		if strings.HasPrefix(template, "/v1/crls/") {
			template = crls
		}
		if strings.HasPrefix(template, "/v1/updates/") {
			template = updates
		}
		if strings.HasPrefix(template, "/v1/signatures/") {
			template = signed
		}
		if strings.HasPrefix(template, "/fleet/") {
			template = "/fleet/{kiosk}"
		}
		template = strings.Replace(template, unknown, "{login}", 1)
		delete(missing, c.method+" "+template+" "+strconv.Itoa(c.status))
	}
	if len(missing) > 0 {
		t.Errorf("no case for %q", slices.Sorted(maps.Keys(missing)))
	}
}

func TestDescribeServesTheDocument(t *testing.T) {
	b := newBed(t)
	resp := b.kiosk(b.serve(), "k1").raw("GET", "/v1/openapi.yaml", "", "")
	text, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(text, hubapi.Document) {
		t.Errorf("got %d bytes, %v; want the document's %d", len(text), err, len(hubapi.Document))
	}
}

// The document accepts every event that EVENTS.md lists, as an event of its author and not
// as the other's. It names no other events of hubs.
func TestDocumentHasEveryEvent(t *testing.T) {
	doc, _ := document(t)
	byKiosk, byHub := doc.Components.Schemas["Event"].Value, doc.Components.Schemas["HubEvent"].Value
	var ofHubs []any
	for _, row := range event.Types {
		text, err := row.Example()
		if err != nil {
			t.Fatal(err)
		}
		var example any
		if err := json.Unmarshal(text, &example); err != nil {
			t.Fatal(err)
		}
		own, other := byKiosk, byHub
		if row.By == event.ByHub {
			own, other = byHub, byKiosk
			ofHubs = append(ofHubs, row.Name)
		}
		if err := own.VisitJSON(example); err != nil {
			t.Errorf("%s: %v", row.Name, err)
		}
		if err := other.VisitJSON(example); err == nil {
			t.Errorf("%s: the document takes it for an event of the other kind", row.Name)
		}
	}
	named := byHub.Properties["type"].Value.Enum
	if len(ofHubs) == 0 || len(named) != len(ofHubs) {
		t.Errorf("the document names the events %v of hubs, EVENTS.md %v", named, ofHubs)
	}
}
