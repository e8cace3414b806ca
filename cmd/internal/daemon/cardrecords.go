package daemon

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"smartkiosk/device/smartkort"
	"smartkiosk/store"
)

// openRecords opens the kiosk's own records. If they are damaged or were written by a
// newer program, it moves them aside and starts with empty ones. That is safe because
// no record is the only copy of anything.
func openRecords(path string, now time.Time, log *slog.Logger) (*store.Records, error) {
	records, err := store.OpenRecords(path)
	if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrSchema) {
		return records, err
	}
	aside, e := store.MoveDamaged(path, now)
	if e != nil {
		return nil, errors.Join(err, e)
	}
	log.Warn("cannot use the records, starting with empty ones", "err", err, "file", aside)
	return store.OpenRecords(path)
}

// newCardDriver returns a driver with the card profiles of a folder ("" for only the
// built-in ones) and a card cache.
func newCardDriver(profiles string, secrets localSecrets, keep smartkort.Keep) (smartkort.Driver, error) {
	known := smartkort.BuiltinProfiles
	if profiles != "" {
		var err error
		if known, err = smartkort.LoadProfiles(profiles); err != nil {
			return smartkort.Driver{}, err
		}
	}
	if !secrets.sealed {
		keep = kindsOnly{keep}
	}
	cache, err := smartkort.NewCache(secrets.cards, keep)
	return smartkort.Driver{Profiles: known, Cache: cache}, err
}

// kindsOnly stores what cards of a kind have in common, and nothing about single cards.
// Their entries contain names. A thief of the SD card who also has the cache's secret
// could decrypt them by trying serial numbers of cards, so they are on disk only if a TPM
// seals the secret. Without one the kiosk reads each card again after a restart.
type kindsOnly struct{ smartkort.Keep }

// Each implements smartkort.Keep. It deletes entries of single cards, which a former
// version has stored.
func (k kindsOnly) Each(f func(id string, entry []byte) error) error {
	cards := map[string][]byte{}
	err := k.Keep.Each(func(id string, entry []byte) error {
		if smartkort.IsKind(id) {
			return f(id, entry)
		}
		cards[id] = nil
		return nil
	})
	if len(cards) > 0 {
		k.Keep.Put(cards)
	}
	return err
}

// Put implements smartkort.Keep.
func (k kindsOnly) Put(entries map[string][]byte) {
	kinds := map[string][]byte{}
	for id, entry := range entries {
		if smartkort.IsKind(id) {
			kinds[id] = entry
		}
	}
	if len(kinds) > 0 {
		k.Keep.Put(kinds)
	}
}

// cardRecords stores the card cache in the records. A goroutine of its own writes, so
// that a visit never waits for the disk. Entries that are not written before a power
// cut are read from the card again.
type cardRecords struct {
	records *store.Records
	done    sync.WaitGroup

	mu      sync.Mutex
	changes chan map[string][]byte // nil after close: a card that hung may still call Put
}

const cardBucket = "cards"

func newCardRecords(records *store.Records, log *slog.Logger) *cardRecords {
	changes := make(chan map[string][]byte, 16)
	c := &cardRecords{records: records, changes: changes}
	c.done.Go(func() {
		for entries := range changes {
			if err := records.Put(cardBucket, entries); err != nil {
				log.Warn("cannot keep what was read of a card", "err", err)
			}
		}
	})
	return c
}

// Each implements smartkort.Keep.
func (c *cardRecords) Each(f func(id string, entry []byte) error) error {
	return c.records.Each(cardBucket, f)
}

// Put implements smartkort.Keep. It drops entries when the disk is too slow for them.
func (c *cardRecords) Put(entries map[string][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case c.changes <- entries:
	default:
	}
}

// close waits until all accepted entries are written.
func (c *cardRecords) close() {
	c.mu.Lock()
	close(c.changes)
	c.changes = nil
	c.mu.Unlock()
	c.done.Wait()
}
