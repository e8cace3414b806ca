package hub

import (
	"os"
	"path/filepath"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/sealkey"
)

// opener returns an Opener with the current sealing keys.
func (h *Hub) opener() *event.Opener {
	var keys []jose.JSONWebKey
	for _, k := range h.config.Seal.Keys() {
		keys = append(keys, k.JSONWebKey)
	}
	return event.NewOpener(keys...)
}

// SealingKey describes one of the hub's sealing keys for its operator.
type SealingKey struct {
	ID       string
	Made     time.Time // zero if the file does not say
	Replaced time.Time // zero if kiosks seal events to it now
	// Kiosks are those kiosks with a bundle in the hub's folder that may have sealed
	// events to this key.
	Kiosks []string
}

// SealingKeys lists the keys that open events, newest first.
func SealingKeys(dir string) ([]SealingKey, error) {
	if _, err := readSettings(dir); err != nil {
		return nil, err
	}
	keys, err := sealkey.ReadPrivate(filepath.Join(dir, sealFile))
	if err != nil {
		return nil, err
	}
	began, err := begunWith(dir)
	if err != nil {
		return nil, err
	}
	var list []SealingKey
	for i, k := range keys {
		s := SealingKey{ID: k.KeyID, Made: k.Made}
		if i > 0 {
			s.Replaced = keys[i-1].Made
		}
		for _, b := range began {
			if !b.made.After(k.Made) {
				s.Kiosks = append(s.Kiosks, b.kiosk)
			}
		}
		list = append(list, s)
	}
	return list, nil
}

// begun says when the first sealing key of a kiosk was made. The kiosk never seals to an
// older key.
type begun struct {
	kiosk string
	made  time.Time
}

// begunWith reads the first sealing keys from the bundles in a hub's folder.
func begunWith(dir string) ([]begun, error) {
	bundles, err := os.ReadDir(filepath.Join(dir, kiosksDir))
	if err != nil {
		return nil, err
	}
	var all []begun
	for _, b := range bundles {
		if !hubapi.ValidName(b.Name()) || !b.IsDir() {
			continue
		}
		// If the bundle was moved to its kiosk, the key is unknown.
		k, _ := sealkey.ReadPublic(filepath.Join(dir, kiosksDir, b.Name(), bundleSealFile))
		all = append(all, begun{b.Name(), k.Made})
	}
	return all, nil
}

// RotateSealingKey makes a new sealing key and returns its ID. The policies name it from
// now on. The hub still opens events that were sealed to the older keys. A running hub
// loads the new key within seconds.
func RotateSealingKey(dir string) (id string, err error) {
	if _, err := readSettings(dir); err != nil {
		return "", err
	}
	k, err := sealkey.Rotate(filepath.Join(dir, sealFile), time.Now())
	return k.KeyID, err
}

// RetireSealingKey deletes a sealing key: see sealkey.Retire.
func RetireSealingKey(dir, id string) error {
	if _, err := readSettings(dir); err != nil {
		return err
	}
	return sealkey.Retire(filepath.Join(dir, sealFile), id)
}
