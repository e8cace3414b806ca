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

	knownBucket  = "known"          // holder hash → day on which the hub granted the holder access
	grantsBucket = "offline-grants" // holder hash or kioskCount → number of offline grants
	kioskCount   = "kiosk"
	changesKey   = "changes" // number of changes of the counters, as in the Witness
)

// Memory remembers holders without their names. Each is stored as a keyed hash, under
// a key that never leaves the device. Somebody who has only the file cannot tell who
// was here; somebody who also has the key can try all possible identifiers.
type Memory struct {
	records Records
	witness *Witness
	key     []byte

	mu      sync.Mutex
	granted bool // the counters are not empty
	lost    bool // the counters are not those that were written last
}

// OpenMemory reads the device's key, or makes one from random. If the counters of
// offline grants are not those that the witness knows, they count as used up until
// ResetGrants.
func OpenMemory(records Records, random io.Reader, witness *Witness) (*Memory, error) {
	m := &Memory{records: records, witness: witness}
	var err error
	if m.key, err = records.Get(deviceBucket, hashKey); err == nil && m.key == nil {
		m.key = make([]byte, sha256.Size)
		if _, err = io.ReadFull(random, m.key); err == nil {
			err = records.Put(deviceBucket, map[string][]byte{hashKey: m.key})
		}
	}
	if err == nil {
		err = records.Each(grantsBucket, func(key string, _ []byte) error {
			m.granted = m.granted || key != changesKey
			return nil
		})
	}
	var changes int64
	if err == nil {
		changes, err = m.number(grantsBucket, changesKey)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open memory of holders: %w", err)
	}
	expected, ok := witness.grants()
	m.lost = !ok || uint64(changes) != expected
	return m, nil
}

// Lost reports whether the counters of offline grants have been lost, or replaced by an
// older copy.
func (m *Memory) Lost() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lost
}

// holderHash returns the key under which a pseudonym is stored on this device.
func (m *Memory) holderHash(pseudonym []byte) string {
	mac := hmac.New(sha256.New, m.key)
	mac.Write(pseudonym)
	return hex.EncodeToString(mac.Sum(nil))
}

// AddKnown records the days on which the hub granted holders access (hubpolicy.Day).
// It writes only what is newer than the stored day.
func (m *Memory) AddKnown(days map[string]int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	newer := map[string][]byte{}
	for pseudonym, day := range days {
		hash := m.holderHash([]byte(pseudonym))
		stored, err := m.number(knownBucket, hash)
		if err != nil {
			return err
		}
		if day > stored {
			newer[hash] = number(day)
		}
	}
	if len(newer) == 0 {
		return nil
	}
	return m.records.Put(knownBucket, newer)
}

// Known returns the day on which the hub last granted the holder access, 0 for never.
func (m *Memory) Known(pseudonym []byte) (day int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.number(knownBucket, m.holderHash(pseudonym))
}

// DropKnownBefore deletes the holders whose last grant by the hub was before a day.
func (m *Memory) DropKnownBefore(day int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := map[string][]byte{}
	err := m.records.Each(knownBucket, func(hash string, value []byte) error {
		if len(value) != 8 || int64(binary.BigEndian.Uint64(value)) < day {
			old[hash] = nil
		}
		return nil
	})
	if err != nil || len(old) == 0 {
		return err
	}
	return m.records.Put(knownBucket, old)
}

// CountGrant counts an offline grant and reports whether it is within the limits (0 for
// no limit). The count is on disk when CountGrant returns, so that a power cut does not
// allow more grants.
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
	if m.lost && (perHolder > 0 || perKiosk > 0) {
		return false, nil
	}
	if perHolder > 0 && holder >= int64(perHolder) || perKiosk > 0 && all >= int64(perKiosk) {
		return false, nil
	}
	return true, m.change(map[string][]byte{hash: number(holder + 1), kioskCount: number(all + 1)})
}

// change writes counters. The witness comes first: after a power cut between the two
// the counters count as lost.
func (m *Memory) change(counts map[string][]byte) error {
	changes, err := m.witness.count()
	if err != nil {
		return err
	}
	m.granted = true
	if !m.lost {
		counts[changesKey] = number(int64(changes))
	}
	if err := m.records.Put(grantsBucket, counts); err != nil {
		m.lost = true
		return err
	}
	return nil
}

// ResetGrants sets the counters to zero, because the hub has been reached. It writes
// nothing if nothing was counted. The witness must be readable (see Witness.Follow).
func (m *Memory) ResetGrants() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	changes, ok := m.witness.grants()
	if !ok || !m.granted && !m.lost {
		return nil
	}
	counts := map[string][]byte{}
	err := m.records.Each(grantsBucket, func(key string, _ []byte) error { counts[key] = nil; return nil })
	if err == nil {
		counts[changesKey] = number(int64(changes))
		err = m.records.Put(grantsBucket, counts)
	}
	if err != nil {
		return err
	}
	m.granted, m.lost = false, false
	return nil
}

func (m *Memory) number(bucket, key string) (int64, error) {
	value, err := m.records.Get(bucket, key)
	if err != nil || value == nil {
		return 0, err
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("cannot read record %s: it is not a number of 8 bytes", bucket)
	}
	return int64(binary.BigEndian.Uint64(value)), nil
}

func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
