package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/raucbundle"
)

// The functions in this file work in the folder of a hub, which may be running.

// AddUpdate copies a bundle into a hub's folder and prepares its roll-out, which RingUpdate
// begins. The caller sets When, Rings, Every and MaxFailures of r. If another hub on the same JetStream has the bundle already, its roll-out stays as
// it is, and added is false.
func AddUpdate(dir, bundle string, r Rollout) (done Rollout, added bool, err error) {
	if done, added, err = addUpdate(dir, bundle, r); err != nil {
		err = fmt.Errorf("cannot add update %s: %w", bundle, err)
	}
	return done, added, err
}

func addUpdate(dir, bundle string, r Rollout) (Rollout, bool, error) {
	if err := r.check(); err != nil {
		return r, false, err
	}
	if err := readUpdate(bundle, &r); err != nil {
		return r, false, err
	}
	r.Added = time.Now().UTC().Truncate(time.Second)
	if err := copyUpdate(dir, bundle, r.Digest); err != nil {
		return r, false, err
	}
	added := true
	err := useRollouts(dir, func(ctx context.Context, u *rollouts) error {
		all, err := u.all(ctx)
		if err != nil {
			return err
		}
		for _, other := range all {
			if other.Version == r.Version && other.Compatible == r.Compatible && other.Digest != r.Digest {
				return errors.Join(fmt.Errorf("there is another bundle with version %s: remove it first", r.Version), os.Remove(updateFile(dir, r.Digest)))
			}
		}
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = u.kv.Create(ctx, r.Digest, text)
		if errors.Is(err, jetstream.ErrKeyExists) {
			added = false
			_, err = u.change(ctx, r.Digest, func(has *Rollout) bool { r = *has; return false })
		} else if err != nil {
			err = storeError{err}
		}
		return err
	})
	return r, added, err
}

// readUpdate reads what a bundle says about itself, and its digest.
func readUpdate(path string, r *Rollout) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	m, err := raucbundle.Read(f, info.Size())
	if err != nil {
		return err
	}
	sum := sha256.New()
	if r.Size, err = io.Copy(sum, f); err != nil {
		return err
	}
	r.Version, r.Compatible, r.Digest = m.Version, m.Compatible, hex.EncodeToString(sum.Sum(nil))
	return nil
}

// copyUpdate copies a bundle into a hub's folder. The copy appears there complete or not at
// all. It removes what an interrupted copy left.
func copyUpdate(dir, bundle, digest string) error {
	in, err := os.Open(bundle)
	if err != nil {
		return err
	}
	defer in.Close()
	folder := filepath.Join(dir, updatesDir)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	growing := updateFile(dir, digest) + unfinished
	sum := sha256.New()
	if _, err := writeSynced(growing, 0o600, func(w io.Writer) error {
		_, err := io.Copy(io.MultiWriter(w, sum), in)
		return err
	}); err != nil {
		return errors.Join(err, os.Remove(growing))
	}
	if hex.EncodeToString(sum.Sum(nil)) != digest {
		return errors.Join(errors.New("it changed while it was read"), os.Remove(growing))
	}
	if err := os.Rename(growing, updateFile(dir, digest)); err != nil {
		return err
	}
	return syncFolder(folder)
}

// useRollouts calls f with the roll-outs of the hub in a folder.
func useRollouts(dir string, f func(ctx context.Context, r *rollouts) error) error {
	return useStore(dir, func(ctx context.Context, js jetstream.JetStream) error {
		r, err := openRollouts(ctx, js)
		if err != nil {
			return err
		}
		return f(ctx, r)
	})
}

// UpdateStatus is a roll-out with what the kiosks have reported.
type UpdateStatus struct {
	Rollout
	OpenNow int            `json:"open_now"` // rings that are open now
	Here    bool           `json:"here"`     // the hub in this folder has the bundle
	Reports []UpdateReport `json:"reports"`
}

// Updates lists the updates of the hub in a folder, the newest version first.
func Updates(dir string) (list []UpdateStatus, err error) {
	err = useRollouts(dir, func(ctx context.Context, u *rollouts) error {
		all, err := u.all(ctx)
		if err != nil {
			return err
		}
		for _, r := range all {
			s := UpdateStatus{Rollout: r, OpenNow: r.openRings(time.Now()), Reports: []UpdateReport{}}
			reports, err := u.reports(ctx, r.Digest)
			if err != nil {
				return err
			}
			s.Reports = append(s.Reports, reports...)
			_, missing := os.Stat(updateFile(dir, r.Digest))
			s.Here = missing == nil
			list = append(list, s)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list updates: %w", err)
	}
	return list, nil
}

// named returns the roll-out of a version.
func (r *rollouts) named(ctx context.Context, version string) (Rollout, error) {
	all, err := r.all(ctx)
	if err != nil {
		return Rollout{}, err
	}
	var found []Rollout
	for _, o := range all {
		if o.Version == version || o.Digest == version {
			found = append(found, o)
		}
	}
	switch len(found) {
	case 0:
		return Rollout{}, errors.New("the hub has no such update")
	case 1:
		return found[0], nil
	}
	return Rollout{}, errors.New("several updates have this version: name the digest")
}

// RingUpdate offers an update to the first rings, as many as open says. It also lets a
// roll-out go on that was stopped. 0 withdraws the update from all kiosks that have not
// installed it yet.
func RingUpdate(dir, version string, open int) (r Rollout, err error) {
	err = useRollouts(dir, func(ctx context.Context, u *rollouts) error {
		if r, err = u.named(ctx, version); err != nil {
			return err
		}
		if open < 0 || open > len(r.Rings) {
			return fmt.Errorf("it has %d rings", len(r.Rings))
		}
		reports, err := u.reports(ctx, r.Digest)
		if err != nil {
			return err
		}
		_, err = u.change(ctx, r.Digest, func(o *Rollout) bool {
			if o.Stopped != "" {
				o.Stopped, o.Forgiven = "", len(failures(reports))
			}
			o.Open, o.Opened = open, time.Now().UTC().Truncate(time.Second)
			r = *o
			return true
		})
		return err
	})
	if err != nil {
		return r, fmt.Errorf("cannot offer update %s: %w", version, err)
	}
	return r, nil
}

// RemoveUpdate ends the roll-out of an update and deletes its bundle from a hub's folder. The
// bundles in the folders of other hubs stay; they are no longer served.
func RemoveUpdate(dir, version string) error {
	err := useRollouts(dir, func(ctx context.Context, u *rollouts) error {
		r, err := u.named(ctx, version)
		if err != nil {
			return err
		}
		if err := u.kv.Delete(ctx, r.Digest); err != nil {
			return storeError{err}
		}
		reports, err := u.reports(ctx, r.Digest)
		if err != nil {
			return err
		}
		for _, report := range reports {
			if err := u.kv.Delete(ctx, r.Digest+"."+report.Kiosk); err != nil {
				return storeError{err}
			}
		}
		if err := os.Remove(updateFile(dir, r.Digest)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot remove update %s: %w", version, err)
	}
	return nil
}
