package feed

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
)

// State is the answer to GET /v1/outbox.
type State struct {
	First  uint64            `json:"first"`  // the oldest stored event; last+1 if the outbox is empty
	Acked  uint64            `json:"acked"`  // the newest event that the hub has acknowledged
	Last   uint64            `json:"last"`   // the newest event
	Parked []json.RawMessage `json:"parked"` // events that the hub refused, the newest maxParked of them

	ParkedCount int `json:"parked_count"` // how many there are
}

const maxParked = 100

// Local serves the outbox to a technician on this machine. It does not
// authenticate clients: the permissions of its socket decide who can connect.
// GET /v1/outbox returns the State. GET /v1/events?after=&max= returns a batch
// of the stored events in the format of a feed. Local changes nothing.
func Local(o Outbox, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/outbox", func(w http.ResponseWriter, r *http.Request) {
		parked, err := o.DeadLetters()
		if err != nil {
			refuse(w, log, err)
			return
		}
		p := o.Position()
		s := State{First: p.First, Acked: p.Acked, Last: p.Last, Parked: []json.RawMessage{}, ParkedCount: len(parked)}
		for _, e := range parked[max(0, len(parked)-maxParked):] {
			s.Parked = append(s.Parked, e.Data)
		}
		if err := apihttp.WriteJSON(w, http.StatusOK, s); err != nil {
			refuse(w, log, err)
		}
	})
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, r *http.Request) {
		after, most, err := localBounds(r.URL.Query())
		if err == nil {
			err = pull(r.Context(), w, o, after, hubapi.Pull{Max: most})
		}
		if err != nil {
			refuse(w, log, err)
		}
	})
	return mux
}

func localBounds(query url.Values) (after uint64, most int, err error) {
	if query.Has("after") {
		if after, err = strconv.ParseUint(query.Get("after"), 10, 64); err != nil {
			return 0, 0, apihttp.Malformed("after must be a sequence number")
		}
	}
	most, err = apihttp.Number(query, "max", 1, hubapi.MaxEvents, hubapi.DefaultFeedBatch)
	return after, most, err
}
