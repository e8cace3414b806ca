package hub

import (
	"maps"

	"github.com/prometheus/client_golang/prometheus"

	"smartkiosk/kiosk/protocol/hubapi"
)

var (
	kioskSeen      = prometheus.NewDesc("smartkiosk_hub_kiosk_last_seen_timestamp_seconds", "When a kiosk called a hub last, to 10 minutes, in seconds since 1970.", []string{"kiosk"}, nil)
	certificateEnd = prometheus.NewDesc("smartkiosk_hub_client_certificate_end_timestamp_seconds", "When the newest certificate of a kiosk, consumer or operator expires, in seconds since 1970.", []string{"role", "client"}, nil)
)

// collectClients sends what the hub knows of its clients. A client that was removed has no
// figures.
func (g gauges) collectClients(gauge func(*prometheus.Desc, float64, ...string)) {
	for id, e := range g.h.identities.all() {
		newest := e.current()
		if newest == nil || !e.Removed.IsZero() {
			continue
		}
		gauge(certificateEnd, seconds(newest.NotAfter), string(id.Role), id.Name)
		if id.Role != hubapi.RoleKiosk {
			continue
		}
		if seen := g.h.sightings.of(id.Name); !seen.Last.IsZero() {
			gauge(kioskSeen, seconds(seen.Last), id.Name)
		}
	}
}

// all returns what the registry knows of all clients.
func (i *identities) all() map[hubapi.Identity]entry {
	i.mu.Lock()
	defer i.mu.Unlock()
	return maps.Clone(i.entries)
}
