package hub

import (
	"encoding/json"
	"slices"
	"strings"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// filter selects events of the feed by a consumer's request.
type filter struct {
	set                    bool // false: every event matches
	types, kiosks, domains []string
}

func newFilter(p hubapi.Pull) filter {
	return filter{
		set:   len(p.Types)+len(p.Kiosks)+len(p.Domains) > 0,
		types: p.Types, kiosks: p.Kiosks, domains: p.Domains,
	}
}

// matches reports whether an event has one of the values of each list that is not empty. An
// event that cannot be read matches, so that no consumer loses it.
func (f filter) matches(text []byte) bool {
	if !f.set {
		return true
	}
	var e struct {
		Type   string `json:"type"`
		Source string `json:"source"`
		Data   struct {
			Kiosk  string `json:"kiosk"` // in the hub's own events
			Holder struct {
				Domain string `json:"domain"`
			} `json:"holder"`
		} `json:"data"`
	}
	if json.Unmarshal(text, &e) != nil {
		return true
	}
	kiosk, ok := strings.CutPrefix(e.Source, event.SourcePrefix)
	if !ok {
		kiosk = e.Data.Kiosk
	}
	return oneOf(f.types, e.Type) && oneOf(f.kiosks, kiosk) && oneOf(f.domains, e.Data.Holder.Domain)
}

func oneOf(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }
