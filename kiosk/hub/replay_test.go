package hub

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubapi"
)

// A recorded exchange is accepted once. If several clients send the same bytes to two hubs
// on one JetStream at the same time, one of them is let in. Later attempts are denied at
// every hub.
func TestReplay(t *testing.T) {
	b := newBed(t)
	urls := []string{b.serve(), b.serve()}
	k1, k2 := b.kiosk(urls[0], "k1"), b.kiosk(urls[1], "k2")
	elsewhere := newBed(t)
	k3 := elsewhere.kiosk(elsewhere.serve(), "k1")

	// send returns a hub's answer to a body that is sent with the kiosk's key.
	send := func(from *party, url, body string) string {
		client := http.Client{Transport: &http.Transport{TLSClientConfig: from.tls}}
		defer client.CloseIdleConnections()
		resp, err := client.Post(url+"/v1/authentications", "application/json", strings.NewReader(body))
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		var out hubapi.Authentication
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
			return err.Error()
		}
		return out.Verdict + string(out.Reason)
	}
	capture := func(nonce string) string {
		return fmt.Sprintf(`{"visit":"v","nonce":%q,"token":%s}`, nonce, token(t, "valid", nonce))
	}

	const tries = 16
	for range 5 {
		body := capture(k1.nonce())
		var begin, done sync.WaitGroup
		begin.Add(1)
		answers := make([]string, tries)
		for i := range answers {
			done.Go(func() {
				begin.Wait()
				answers[i] = send(k1, urls[i%2], body)
			})
		}
		begin.Done()
		done.Wait()
		got := map[string]int{}
		for _, a := range answers {
			got[a]++
		}
		if got[hubapi.VerdictGranted] != 1 || got[hubapi.VerdictDenied+string(kiosk.NonceUsed)] != tries-1 {
			t.Fatalf("of %d at once: %v", tries, got)
		}
	}

	body := capture(k1.nonce())
	if got := send(k1, urls[0], body); got != hubapi.VerdictGranted {
		t.Fatalf("the exchange itself: %s", got)
	}
	for _, tt := range []struct {
		where string
		from  *party
		url   string
		want  kiosk.Reason
	}{
		{"at the same hub", k1, urls[0], kiosk.NonceUsed},
		{"at the other hub", k1, urls[1], kiosk.NonceUsed},
		{"from another kiosk", k2, urls[0], kiosk.NonceForeign},
		{"from another kiosk at the other hub", k2, urls[1], kiosk.NonceForeign},
		{"at a hub that was not there then", k1, b.serve(), kiosk.NonceUsed},
		{"at somebody else's hub", k3, k3.url, kiosk.NonceUnknown},
	} {
		if got := send(tt.from, tt.url, body); got != hubapi.VerdictDenied+string(tt.want) {
			t.Errorf("%s: got %s, want %s", tt.where, got, tt.want)
		}
	}
	b.advance(hubapi.ChallengeLife)
	if got := send(k1, urls[1], body); got != hubapi.VerdictDenied+string(kiosk.NonceUsed) {
		t.Errorf("when its nonce has expired too: got %s", got)
	}
	// The recorded token is refused with a fresh nonce too.
	_, after, _ := strings.Cut(body, `","token"`)
	if got := send(k1, urls[0], fmt.Sprintf(`{"visit":"v","nonce":%q,"token"%s`, k1.nonce(), after)); got != hubapi.VerdictDenied+string(kiosk.Signature) {
		t.Errorf("with a fresh nonce: got %s", got)
	}
}
