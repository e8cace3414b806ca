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

// Under the rule "known" a kiosk lets in alone whom the hub let in lately at any
// kiosk of a group with it. So the hub remembers, by kiosk, whom it let in, as the
// events of the visits arrive: under a pseudonym, and for the days of the rule.

const (
	knownBucket = "smartkiosk-known" // <kiosk>.<pseudonym> → day, see hubpolicy.Day

	// maxKnown is how many holders a kiosk is told of, the latest. Two million
	// bytes of JSON.
	maxKnown = 25_000
)

// attachKnown finds or makes the bucket, if the rule asks for it.
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

// remember takes note of a visit whose holder the hub let in.
func (h *Hub) remember(ctx context.Context, kioskID string, e arrived) error {
	v := e.Data
	if h.known == nil || v.Offline || v.Outcome != kiosk.Granted || !v.Authenticated || v.Holder == nil {
		return nil
	}
	key, err := holderKey(h.config.Sign)
	if err != nil {
		return err
	}
	at := e.Time
	if now := h.now(); at.After(now) {
		at = now
	}
	name := kioskID + "." + hex.EncodeToString(hubpolicy.Pseudonym(key, *v.Holder))
	day := strconv.FormatInt(hubpolicy.Day(at), 10)
	switch had, err := h.known.Get(ctx, name); {
	case err == nil && string(had.Value()) == day:
		return nil
	case err != nil && !errors.Is(err, jetstream.ErrKeyNotFound):
		return storeError{err}
	}
	if _, err := h.known.PutString(ctx, name, day); err != nil {
		return storeError{err}
	}
	return nil
}

// knownAnswer is GET /v1/known.
func (h *Hub) knownAnswer(w http.ResponseWriter, r *http.Request, c caller) error {
	days, err := h.knownAt(r.Context(), h.rules.Rules().Companions(c.Name))
	if err != nil {
		return err
	}
	body, err := json.Marshal(hubapi.Known{Known: days})
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

// knownAt gives whom the hub let in at these kiosks, each under the pseudonym
// with the latest day.
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
			if entry == nil { // all there are by now
				return latest(days), nil
			}
			_, holder, _ := strings.Cut(entry.Key(), ".")
			day, err := strconv.ParseInt(string(entry.Value()), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("cannot read whom the hub let in: %w", err)
			}
			days[holder] = max(days[holder], day)
		}
	}
}

// latest gives those of the latest days, if there are too many.
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
