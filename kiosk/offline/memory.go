package offline

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"sync"
)

// Records keep values across restarts (store.Records).
type Records interface {
	Get(bucket, key string) ([]byte, error)
	Put(bucket string, values map[string][]byte) error
	Each(bucket string, f func(key string, value []byte) error) error
}

const (
	deviceBucket, hashKey = "device", "holder-hash-key"
	knownBucket           = "known"          // hash → day on which the hub let the holder in
	grantsBucket          = "offline-grants" // hash or kioskCount → how many without the hub
	kioskCount            = "kiosk"
)

// Memory remembers holders without knowing them: each is a keyed hash under a
// key that never leaves the device. So the file tells nobody who was here, but
// to whoever has the device's key too and tries all identifiers there are.
type Memory struct {
	records Records
	key     []byte

	mu      sync.Mutex
	granted bool // something was granted since ResetGrants
}

// OpenMemory reads the device's key, or makes it from random.
func OpenMemory(records Records, random io.Reader) (*Memory, error) {
	m := &Memory{records: records}
	var err error
	if m.key, err = records.Get(deviceBucket, hashKey); err == nil && m.key == nil {
		m.key = make([]byte, sha256.Size)
		if _, err = io.ReadFull(random, m.key); err == nil {
			err = records.Put(deviceBucket, map[string][]byte{hashKey: m.key})
		}
	}
	if err == nil {
		err = records.Each(grantsBucket, func(string, []byte) error { m.granted = true; return nil })
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open memory of holders: %w", err)
	}
	return m, nil
}

// hash is what stands for a pseudonym on this device.
func (m *Memory) holderHash(pseudonym []byte) string {
	mac := hmac.New(sha256.New, m.key)
	mac.Write(pseudonym)
	return hex.EncodeToString(mac.Sum(nil))
}

// AddKnown remembers that the hub has let these in, each on a day; see Day. It writes
// only what is new.
func (m *Memory) AddKnown(days map[string]int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	news := map[string][]byte{}
	for pseudonym, day := range days {
		hash := m.holderHash([]byte(pseudonym))
		had, err := m.number(knownBucket, hash)
		if err != nil {
			return err
		}
		if day > had {
			news[hash] = number(day)
		}
	}
	if len(news) == 0 {
		return nil
	}
	return m.records.Put(knownBucket, news)
}

// Known tells on which day the hub last let the holder in, 0 for never.
func (m *Memory) Known(pseudonym []byte) (day int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.number(knownBucket, m.holderHash(pseudonym))
}

// DropKnownBefore drops whom the hub let in before a day.
func (m *Memory) DropKnownBefore(before int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := map[string][]byte{}
	err := m.records.Each(knownBucket, func(hash string, value []byte) error {
		if len(value) != 8 || int64(binary.BigEndian.Uint64(value)) < before {
			old[hash] = nil
		}
		return nil
	})
	if err != nil || len(old) == 0 {
		return err
	}
	return m.records.Put(knownBucket, old)
}

// CountGrant counts that a holder is let in without the hub, and tells whether that is
// within the limits (0 for none). It is on disk when Grant returns, so that
// pulling the plug does not give more.
func (m *Memory) CountGrant(pseudonym []byte, perHolder, perKiosk int) (ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	hash := m.holderHash(pseudonym)
	holder, err := m.number(grantsBucket, hash)
	if err != nil {
		return false, err
	}
	all, err := m.number(grantsBucket, kioskCount)
	if err != nil {
		return false, err
	}
	if perHolder > 0 && holder >= int64(perHolder) || perKiosk > 0 && all >= int64(perKiosk) {
		return false, nil
	}
	m.granted = true
	return true, m.records.Put(grantsBucket, map[string][]byte{hash: number(holder + 1), kioskCount: number(all + 1)})
}

// ResetGrants begins to count anew: the hub was heard. It writes nothing if nothing
// was counted.
func (m *Memory) ResetGrants() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.granted {
		return nil
	}
	counts := map[string][]byte{}
	err := m.records.Each(grantsBucket, func(key string, _ []byte) error { counts[key] = nil; return nil })
	if err == nil {
		err = m.records.Put(grantsBucket, counts)
	}
	m.granted = err != nil
	return err
}

func (m *Memory) number(bucket, key string) (int64, error) {
	value, err := m.records.Get(bucket, key)
	if err != nil || value == nil {
		return 0, err
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("cannot read record %s: it is no number", bucket)
	}
	return int64(binary.BigEndian.Uint64(value)), nil
}

func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
