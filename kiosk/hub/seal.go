package hub

import (
	"os"
	"path/filepath"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/sealkey"
)

// opener opens events by the sealing keys as they are now.
func (h *Hub) opener() *event.Opener {
	var keys []jose.JSONWebKey
	for _, k := range h.config.Seal.Keys() {
		keys = append(keys, k.JSONWebKey)
	}
	return event.NewOpener(keys...)
}

// SealingKey is one of a hub's keys, as its operator is to know it.
type SealingKey struct {
	ID       string
	Made     time.Time // zero if nothing says
	Replaced time.Time // zero if events are sealed to it
	// Kiosks are those with a bundle in the hub's folder that may have sealed
	// events to it.
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

// begun says when the key was made that a kiosk began with: it never seals to
// an older one.
type begun struct {
	kiosk string
	made  time.Time
}

// begunWith reads the bundles in a hub's folder.
func begunWith(dir string) ([]begun, error) {
	bundles, err := os.ReadDir(filepath.Join(dir, kiosksDir))
	if err != nil {
		return nil, err
	}
	var all []begun
	for _, b := range bundles {
		// A bundle that was carried away leaves its key unknown, and maybe its
		// name.
		k, _ := sealkey.ReadPublic(filepath.Join(dir, kiosksDir, b.Name(), bundleSealFile))
		all = append(all, begun{b.Name(), k.Made})
	}
	return all, nil
}

// RotateSealingKey makes a sealing key, which kiosks are told of from now on,
// and gives its ID. What is sealed to the others is opened as before. A hub
// that serves takes note by itself, within seconds.
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
