package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// The list of issued certificates has a copy in the hub's folder, outside of JetStream. If
// JetStream is restored from a backup, the hub adds from this copy what was issued and removed
// since. So a kiosk that was enrolled after the backup is still accepted, and one that was
// removed is still refused. The file holds no secret. Copy it elsewhere after each enrolment,
// if the whole folder may be lost.
const identitiesFile = "identities.json"

// identitiesInterval bounds how old the copy may be.
const identitiesInterval = 5 * time.Second

// mergeIdentities adds to the registry what only the copy knows.
func (h *Hub) mergeIdentities(ctx context.Context, r *registry) error {
	text, err := os.ReadFile(filepath.Join(h.config.Folder, identitiesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var copied map[string]entry
	if err := json.Unmarshal(text, &copied); err != nil {
		return fmt.Errorf("cannot read %s: %w", identitiesFile, err)
	}
	for _, key := range slices.Sorted(maps.Keys(copied)) {
		id, ok := identityOf(key)
		if !ok {
			return fmt.Errorf("cannot read %s: %q is not an identity", identitiesFile, key)
		}
		known, _, err := r.get(ctx, id)
		if err != nil {
			return err
		}
		if known.with(copied[key]).equal(known.with(known)) {
			continue
		}
		h.log.Warn("the registered certificates of an identity are completed from the hub's folder", "caller", id, "file", identitiesFile)
		err = r.change(ctx, id, func(e *entry) error {
			*e = e.with(copied[key])
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// with merges two copies of an identity's entry. A certificate that has ended in one copy has
// ended. An identity that was removed stays removed, unless a certificate was issued
// after that.
func (e entry) with(other entry) entry {
	all := slices.Clone(e.Certificates)
	for _, c := range other.Certificates {
		i := slices.IndexFunc(all, func(known certificateEntry) bool { return known.Fingerprint == c.Fingerprint })
		if i < 0 {
			all = append(all, c)
			continue
		}
		if all[i].Ended.IsZero() {
			all[i].Ended = c.Ended
		}
		all[i].Barred = all[i].Barred || c.Barred
	}
	slices.SortStableFunc(all, func(a, b certificateEntry) int { return a.Issued.Compare(b.Issued) })
	both := entry{Removed: e.Removed}
	if other.Removed.After(both.Removed) {
		both.Removed = other.Removed
	}
	for _, c := range all {
		both.add(c) // the newest last, and not too many
	}
	if newest := both.current(); newest != nil && newest.Issued.After(both.Removed) {
		both.Removed = time.Time{}
	}
	return both
}

func (e entry) equal(other entry) bool {
	a, errA := json.Marshal(e)
	b, errB := json.Marshal(other)
	return errA == nil && errB == nil && string(a) == string(b)
}

// copyIdentities writes the copy whenever the registry has changed, until ctx ends.
func (h *Hub) copyIdentities(ctx context.Context) {
	path := filepath.Join(h.config.Folder, identitiesFile)
	before, _ := os.ReadFile(path)
	for copied := -1; ; {
		if changes := h.identities.changed(); changes != copied {
			text, err := h.identities.registry.text(ctx)
			if err == nil && string(text) != string(before) {
				err = replaceFile(path, text)
			}
			if err == nil {
				before, copied = text, changes
			} else if ctx.Err() == nil {
				h.log.Warn("cannot write the copy of the registered certificates", "file", path, "err", err)
			}
		}
		select {
		case <-time.After(identitiesInterval):
		case <-ctx.Done():
			return
		}
	}
}

// text returns the entries of all identities as JSON.
func (r *registry) text(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, storageWait)
	defer cancel()
	all := map[string]json.RawMessage{}
	err := eachEntry(ctx, r.kv, ">", func(key string, text []byte) error {
		if key != begunKey {
			all[key] = text
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(all, "", " ")
}
