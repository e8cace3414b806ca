package hub

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// The hubs note how each kiosk was seen last. From that they recognise two machines with one
// identity: every start of kioskd has a random instance, and an instance that was replaced by
// another one never comes back, unless both run.

const (
	sightingsBucket = "smartkiosk-sightings" // kiosk → sighting

	sightingInterval = 10 * time.Minute // between two writes if nothing has changed

	// twinOverlap is how long after another instance began an instance must still be heard,
	// so that a request that was on its way at a restart does not count.
	twinOverlap = 10 * time.Second

	// twinMemory is how long after the last sign of a second machine the hub names it.
	twinMemory = 24 * time.Hour
)

// sighting is how a kiosk was seen last.
type sighting struct {
	Host     string    `json:"host"`    // by which it called the hub, host:port
	Address  string    `json:"address"` // its IP address
	Instance string    `json:"instance,omitempty"`
	Since    time.Time `json:"since"`                     // when this instance was first seen
	Last     time.Time `json:"last"`                      // to sightingInterval
	Earlier  string    `json:"earlier,omitempty"`         // the instance before
	Before   string    `json:"earlier_address,omitempty"` // its address
	Twin     time.Time `json:"twin,omitzero"`             // when two instances were last seen at the same time
}

// sightings are the sightings of all kiosks.
type sightings struct {
	kv  jetstream.KeyValue
	now func() time.Time

	mu    sync.Mutex
	known map[string]sighting // as stored, by kiosk
}

func openSightings(ctx context.Context, js jetstream.JetStream) (jetstream.KeyValue, error) {
	return js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: sightingsBucket, Storage: jetstream.FileStorage})
}

func (h *Hub) attachSightings(ctx context.Context) error {
	kv, err := openSightings(ctx, h.js)
	h.sightings = &sightings{kv: kv, now: h.now, known: map[string]sighting{}}
	return err
}

func (h *Hub) watchSightings(ctx context.Context) {
	h.keepFollowing(ctx, "sightings", h.sightings.follow)
}

// follow reads the sightings of all hubs until ctx ends.
func (s *sightings) follow(ctx context.Context) error {
	return follow(ctx, s.kv, func(found jetstream.KeyValueEntry) error {
		var seen sighting
		_ = json.Unmarshal(found.Value(), &seen) // a damaged sighting counts as none
		// Entries arrive late and in any order. This hub may have seen the kiosk since.
		if !seen.Last.Before(s.of(found.Key()).Last) {
			s.remember(found.Key(), seen)
		}
		return nil
	})
}

func (s *sightings) remember(kiosk string, seen sighting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[kiosk] = seen
}

func (s *sightings) of(kiosk string) sighting {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[kiosk]
}

// sightings returns the sightings of all kiosks.
func (r *registry) sightings(ctx context.Context) (map[string]sighting, error) {
	all := map[string]sighting{}
	kv, err := openSightings(ctx, r.js)
	if err != nil {
		return nil, err
	}
	err = eachEntry(ctx, kv, ">", func(kiosk string, text []byte) error {
		var seen sighting
		_ = json.Unmarshal(text, &seen) // a damaged sighting counts as none
		all[kiosk] = seen
		return nil
	})
	return all, err
}

// noteKiosk notes a request of a kiosk. The answer's header has the time of the CAs'
// signatures. While there is a second machine with the same identity, it says so too.
// Neither machine is refused, because the hub cannot tell which one is right.
func (h *Hub) noteKiosk(w http.ResponseWriter, r *http.Request, c caller) {
	if c.Role != hubapi.RoleKiosk {
		return
	}
	if signed := h.config.Trust.signedTime(); !signed.IsZero() {
		w.Header().Set(hubapi.SignedTimeHeader, signed.UTC().Format(http.TimeFormat))
	}
	now := h.now().UTC()
	address, _, _ := net.SplitHostPort(r.RemoteAddr)
	instance := r.Header.Get(hubapi.InstanceHeader)
	if !hubapi.ValidInstance(instance) {
		instance = ""
	}
	before := h.sightings.of(c.Name)
	seen, twin := before.next(now, r.Host, address, instance)
	if now.Sub(seen.Twin) < twinMemory {
		other := seen.Before
		if instance != "" && instance == seen.Earlier {
			other = seen.Address
		}
		w.Header().Set(hubapi.TwinHeader, other)
	}
	if !twin && seen.same(before) && now.Sub(before.Last) < sightingInterval {
		return
	}
	h.sightings.remember(c.Name, seen)
	// A person may wait for this answer.
	h.running.Go(func() { h.storeSighting(c.Name, seen, before, twin) })
}

// next returns the sighting after a request, and whether the request proves a second
// machine.
func (s sighting) next(now time.Time, host, address, instance string) (next sighting, twin bool) {
	next = s
	next.Host, next.Last = host, now
	switch {
	case instance == "" || instance == s.Instance:
		if instance != "" || s.Instance == "" {
			next.Address = address
		}
	case instance == s.Earlier:
		// The earlier instance still runs.
		if now.Sub(s.Since) < twinOverlap {
			return s, false
		}
		next.Instance, next.Earlier, next.Address, next.Before, next.Since = instance, s.Instance, address, s.Address, now
		next.Twin, twin = now, true
	default:
		next.Instance, next.Earlier, next.Address, next.Before, next.Since = instance, s.Instance, address, s.Address, now
	}
	return next, twin
}

// same reports whether two sightings differ in their times only.
func (s sighting) same(other sighting) bool {
	s.Since, s.Last, s.Twin = other.Since, other.Last, other.Twin
	return s == other
}

// twinAlarmInterval bounds how often the hub stores an alarm about the same kiosk.
const twinAlarmInterval = time.Hour

func (h *Hub) storeSighting(kiosk string, seen, before sighting, twin bool) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	text, err := json.Marshal(seen)
	if err == nil {
		_, err = h.sightings.kv.Put(ctx, kiosk, text)
	}
	if err == nil && twin && seen.Twin.Sub(before.Twin) >= twinAlarmInterval {
		err = h.alarm(ctx, "twin-"+kiosk+"-"+seen.Twin.Format(time.RFC3339), event.Alarm{
			Kiosk: kiosk, Kind: event.AlarmTwin, Detail: "two machines use this identity, at " + seen.Address + " and " + seen.Before,
		})
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		h.log.Error("cannot store how a kiosk was seen", "kiosk", kiosk, "err", err)
	}
}
