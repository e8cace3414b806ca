package hub

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// With the offline rule "known" a kiosk lets in holders whom the hub has let in lately at
// that kiosk or at one of the same group. The hub records them when it gives the verdict.
// It never learns them from a kiosk's events, because a kiosk could invent those. It
// stores hashes of them, for as many days as the rule says, and gives each kiosk its own
// pseudonyms.

const (
	knownBucket = "smartkiosk-known" // <kiosk>.<hubpolicy.HolderHash> → day, see hubpolicy.Day

	// maxKnown is how many holders a kiosk gets at most; the latest ones win. They are
	// two million bytes of JSON.
	maxKnown = 25_000
)

// attachKnown opens or creates the bucket if the offline rule is "known".
func (h *Hub) attachKnown(ctx context.Context) (err error) {
	r := h.config.Offline.OfflineRules
	if r.Rule != hubpolicy.Known {
		return nil
	}
	h.known, err = h.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: knownBucket, Storage: jetstream.FileStorage, TTL: time.Duration(r.KnownDays+1) * 24 * time.Hour,
	})
	return err
}

// noteKnown has the hub record later that it has let in a holder at a kiosk today.
func (h *Hub) noteKnown(kioskID string, holder kiosk.Holder) {
	if h.known == nil {
		return
	}
	select {
	case h.holders.grants <- knownGrant{kioskID, holder}:
	default:
		h.log.Warn("too many holders at once to record that the hub knows them", "kiosk", kioskID)
	}
}

func (h *Hub) recordKnown(ctx context.Context, g knownGrant) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	hash, err := h.holders.hash(ctx, g.holder.ID)
	if err != nil {
		return err
	}
	in := hash.In(g.holder.Domain)
	name := g.kiosk + "." + hex.EncodeToString(in[:])
	day := strconv.FormatInt(hubpolicy.Day(h.now()), 10)
	switch entry, err := h.known.Get(ctx, name); {
	case err == nil && string(entry.Value()) == day:
		return nil
	case err != nil && !errors.Is(err, jetstream.ErrKeyNotFound):
		return storeError{err}
	}
	if _, err := h.known.PutString(ctx, name, day); err != nil {
		return storeError{err}
	}
	return nil
}

// knownAnswer handles GET /v1/known.
func (h *Hub) knownAnswer(w http.ResponseWriter, r *http.Request, c caller) error {
	days, err := h.knownAt(r.Context(), h.rules.Rules().Companions(c.Name))
	if err != nil {
		return err
	}
	keys, named := h.holders.keys(c.Name), make(map[string]int64, len(days))
	for text, day := range days {
		hash, err := hex.DecodeString(text)
		if err != nil || len(hash) != len(hubpolicy.HolderHash{}) {
			continue // from a former version of the hub
		}
		named[hex.EncodeToString(keys.Pseudonym(hubpolicy.HolderHash(hash)))] = day
	}
	body, err := json.Marshal(hubapi.Known{Known: named})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	tag := strconv.Quote(hex.EncodeToString(sum[:16]))
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "private, no-cache")
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	apihttp.Write(w, http.StatusOK, "application/json", body)
	return nil
}

// knownAt returns the holders whom the hub has let in at these kiosks: their hashes, and
// the last day for each.
func (h *Hub) knownAt(ctx context.Context, kiosks []string) (map[string]int64, error) {
	days := map[string]int64{}
	if h.known == nil {
		return days, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	var keys []string
	for _, k := range kiosks {
		keys = append(keys, k+".*")
	}
	watch, err := h.known.WatchFiltered(ctx, keys, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, storeError{err}
	}
	defer watch.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, storeError{ctx.Err()}
		case entry := <-watch.Updates():
			if entry == nil { // the end of the entries that exist now
				return latest(days), nil
			}
			_, holder, _ := strings.Cut(entry.Key(), ".")
			day, err := strconv.ParseInt(string(entry.Value()), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("cannot read the day of a known holder: %w", err)
			}
			days[holder] = max(days[holder], day)
		}
	}
}

// latest drops the oldest days if there are more than maxKnown holders.
func latest(days map[string]int64) map[string]int64 {
	if len(days) <= maxKnown {
		return days
	}
	holders := slices.SortedFunc(maps.Keys(days), func(a, b string) int {
		return cmp.Or(cmp.Compare(days[b], days[a]), cmp.Compare(a, b))
	})
	for _, old := range holders[maxKnown:] {
		delete(days, old)
	}
	return days
}
