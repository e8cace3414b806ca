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
	knownBucket           = "known"          // mark → day on which the hub let the holder in
	grantsBucket          = "offline-grants" // mark or kioskCount → how many without the hub
	kioskCount            = "kiosk"
)

// Memory remembers holders without knowing them: each is a keyed hash under a
// key that never leaves the device. So the file tells nobody who was here, but
// to whoever has the device's key too and tries all identifiers there are.
type Memory struct {
	records Records
	key     []byte

	mu      sync.Mutex
	granted bool // something was granted since Heard
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

// mark is what stands for a pseudonym on this device.
func (m *Memory) mark(pseudonym []byte) string {
	mac := hmac.New(sha256.New, m.key)
	mac.Write(pseudonym)
	return hex.EncodeToString(mac.Sum(nil))
}

// Learn remembers that the hub has let these in, each on a day; see Day. It writes
// only what is new.
func (m *Memory) Learn(days map[string]int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	news := map[string][]byte{}
	for pseudonym, day := range days {
		mark := m.mark([]byte(pseudonym))
		had, err := m.number(knownBucket, mark)
		if err != nil {
			return err
		}
		if day > had {
			news[mark] = number(day)
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
	return m.number(knownBucket, m.mark(pseudonym))
}

// Forget drops whom the hub let in before a day.
func (m *Memory) Forget(before int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := map[string][]byte{}
	err := m.records.Each(knownBucket, func(mark string, value []byte) error {
		if len(value) != 8 || int64(binary.BigEndian.Uint64(value)) < before {
			old[mark] = nil
		}
		return nil
	})
	if err != nil || len(old) == 0 {
		return err
	}
	return m.records.Put(knownBucket, old)
}

// Grant counts that a holder is let in without the hub, and tells whether that is
// within the limits (0 for none). It is on disk when Grant returns, so that
// pulling the plug does not give more.
func (m *Memory) Grant(pseudonym []byte, perHolder, perKiosk int) (ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mark := m.mark(pseudonym)
	holder, err := m.number(grantsBucket, mark)
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
	return true, m.records.Put(grantsBucket, map[string][]byte{mark: number(holder + 1), kioskCount: number(all + 1)})
}

// Heard begins to count anew: the hub was heard. It writes nothing if nothing
// was counted.
func (m *Memory) Heard() error {
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
