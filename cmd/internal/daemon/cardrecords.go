package daemon

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"smartkiosk/device/smartkort"
	"smartkiosk/store"
)

// openRecords opens what the kiosk keeps for itself. Records that are damaged, or
// a newer program's, are set aside: none of them is anybody's only copy.
func openRecords(path string, now time.Time, log *slog.Logger) (*store.Records, error) {
	records, err := store.OpenRecords(path)
	if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrSchema) {
		return records, err
	}
	aside, e := store.MoveDamaged(path, now)
	if e != nil {
		return nil, errors.Join(err, e)
	}
	log.Warn("records are of no use, beginning anew", "err", err, "file", aside)
	return store.OpenRecords(path)
}

// newCardDriver makes a driver that knows the card profiles of a folder, ""
// for none, and remembers cards. Its secret lies in a file of its own, apart
// from what it seals; a new one is made where there is none, and what was
// sealed by another is of no use then.
func newCardDriver(profiles, path string, keep smartkort.Keep) (smartkort.Driver, error) {
	known := smartkort.BuiltinProfiles
	if profiles != "" {
		var err error
		if known, err = smartkort.LoadProfiles(profiles); err != nil {
			return smartkort.Driver{}, err
		}
	}
	secret, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(secret) != 32 {
		secret = make([]byte, 32)
		rand.Read(secret)
		err = os.WriteFile(path, secret, 0o600)
	}
	if err != nil {
		return smartkort.Driver{}, fmt.Errorf("cannot read the card cache's secret: %w", err)
	}
	cache, err := smartkort.NewCache(secret, keep)
	return smartkort.Driver{Profiles: known, Cache: cache}, err
}

// cardRecords keeps the card cache in the records. Writing waits for the disk,
// so it is done apart from the visit; what is not written when the power goes
// is read from the card again.
type cardRecords struct {
	records *store.Records
	done    sync.WaitGroup

	mu      sync.Mutex
	changes chan map[string][]byte // nil once closed: a card that hung may let go later
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

// Put implements smartkort.Keep. When more is to be written than the disk
// takes, it is left out.
func (c *cardRecords) Put(entries map[string][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case c.changes <- entries:
	default:
	}
}

// close waits until all is written.
func (c *cardRecords) close() {
	c.mu.Lock()
	close(c.changes)
	c.changes = nil
	c.mu.Unlock()
	c.done.Wait()
}
