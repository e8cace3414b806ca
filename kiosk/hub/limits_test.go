package hub

import (
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// A kiosk may store a bounded amount of events in a day. The bound concerns no other
// request and no other kiosk, ends with the day, and outlives a pause of the kiosk.
func TestStoredBytesADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter()
		k1, k2 := hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}, hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k2"}
		begin := func(id hubapi.Identity, path string) string {
			end, exceeded := l.begin(id, httptest.NewRequest("POST", path, nil))
			if end != nil {
				end()
			}
			return exceeded
		}
		l.store(k1, maxStoredADay-1)
		if got := begin(k1, "/v1/events"); got != "" {
			t.Errorf("a byte before the limit: %q", got)
		}
		l.store(k1, 1)
		time.Sleep(2 * forgetIdentity) // the bubble's clock starts at midnight
		for _, c := range []struct {
			id   hubapi.Identity
			path string
			want string
		}{{k2, "/v1/events", ""}, {k1, "/v1/challenges", ""}, {k1, "/v1/events", tooMuchStored}} {
			if got := begin(c.id, c.path); got != c.want {
				t.Errorf("%s %s: %q, want %q", c.id.Name, c.path, got, c.want)
			}
		}
		if p := tooMany(tooMuchStored); p.Wait != storedRetry {
			t.Errorf("the kiosk is told to wait for %s", p.Wait)
		}
		time.Sleep(24 * time.Hour)
		if got := begin(k1, "/v1/events"); got != "" {
			t.Errorf("on the next day: %q", got)
		}
	})
}
