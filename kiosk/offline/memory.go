package offline

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"
)

// Records keep values across restarts (store.Records).
type Records interface {
	Get(bucket, key string) ([]byte, error)
	Put(bucket string, values map[string][]byte) error
	Each(bucket string, f func(key string, value []byte) error) error
}

const (
	deviceBucket = "device"
	hashKeyCheck = "holder-key-check" // proves that the entries were written under the present key

	knownBucket  = "known"          // holder hash → day on which the hub granted the holder access
	grantsBucket = "offline-grants" // holder hash → day and number of offline grants; kioskCount → number
	kioskCount   = "kiosk"
	changesKey   = "changes" // number of changes of the counters, as in the Witness
)

// Memory remembers holders without their names. It stores each as an HMAC-SHA256 of the
// holder's pseudonym. Without the key no holder can be found. A kiosk with a TPM
// lets it seal the key, so a thief of the SD card does not get it. Without a TPM the key is
// on the same SD card, and the cost of the pseudonym protects the holder; see "Names of
// holders" in package hubpolicy.
type Memory struct {
	records Records
	witness *Witness
	key     []byte

	mu      sync.Mutex
	granted bool // the counters are not empty
	lost    bool // the counters are not those that were written last
}

// OpenMemory opens the memory in the records. If the counters of offline grants are not
// those that the witness knows, they count as used up until ResetGrants. If the key is not
// the one under which the entries were written, OpenMemory deletes them, and the counters
// count as used up too.
func OpenMemory(records Records, key []byte, witness *Witness) (*Memory, error) {
	m := &Memory{records: records, witness: witness, key: key}
	rekeyed, err := m.rekey()
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
	m.lost = !ok || uint64(changes) != expected || rekeyed && m.granted
	return m, nil
}

// rekey deletes all entries about holders, and the key of a former version, unless they
// were written under this key. It reports whether it has done so.
func (m *Memory) rekey() (bool, error) {
	mac := hmac.New(sha256.New, m.key)
	mac.Write([]byte(hashKeyCheck))
	want := mac.Sum(nil)
	check, err := m.records.Get(deviceBucket, hashKeyCheck)
	if err != nil || subtle.ConstantTimeCompare(check, want) == 1 {
		return false, err
	}
	for _, bucket := range []string{knownBucket, grantsBucket} {
		if err := m.drop(bucket, func(key string, _ []byte) bool { return key != changesKey && key != kioskCount }); err != nil {
			return false, err
		}
	}
	return true, m.records.Put(deviceBucket, map[string][]byte{hashKeyCheck: want, "holder-hash-key": nil})
}

// drop deletes the entries of a bucket that old selects.
func (m *Memory) drop(bucket string, old func(key string, value []byte) bool) error {
	dropped := map[string][]byte{}
	err := m.records.Each(bucket, func(key string, value []byte) error {
		if old(key, value) {
			dropped[key] = nil
		}
		return nil
	})
	if err != nil || len(dropped) == 0 {
		return err
	}
	return m.records.Put(bucket, dropped)
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

// KeepKnown deletes the holders whose last grant by the hub was before or after a range of
// days. A day in the future was recorded while the kiosk's clock was ahead.
func (m *Memory) KeepKnown(from, through int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.drop(knownBucket, func(_ string, value []byte) bool {
		if len(value) != 8 {
			return true
		}
		day := int64(binary.BigEndian.Uint64(value))
		return day < from || day > through
	})
}

// DropGrantsBefore deletes the counters of the holders that were let in offline before a
// day. The counter of all holders stays.
func (m *Memory) DropGrantsBefore(day int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.drop(grantsBucket, func(key string, value []byte) bool {
		return key != kioskCount && key != changesKey && (len(value) != 16 || int64(binary.BigEndian.Uint64(value)) < day)
	})
}

// CountGrant counts an offline grant and reports whether it is within the limits (0 for no
// limit): that of the holder on this day, and that of all holders. The count is on disk
// when CountGrant returns, so that a power cut does not allow more grants. Without a limit
// for holders it stores nothing about this one, and the pseudonym may be nil.
func (m *Memory) CountGrant(pseudonym []byte, day int64, perHolder, perKiosk int) (ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all, err := m.number(grantsBucket, kioskCount)
	if err != nil {
		return false, err
	}
	if m.lost && (perHolder > 0 || perKiosk > 0) || perKiosk > 0 && all >= int64(perKiosk) {
		return false, nil
	}
	counts := map[string][]byte{kioskCount: number(all + 1)}
	if perHolder > 0 {
		hash := m.holderHash(pseudonym)
		value, err := m.records.Get(grantsBucket, hash)
		if err != nil {
			return false, err
		}
		var holder int64
		if len(value) == 16 && int64(binary.BigEndian.Uint64(value)) == day {
			holder = int64(binary.BigEndian.Uint64(value[8:]))
		}
		if holder >= int64(perHolder) {
			return false, nil
		}
		counts[hash] = append(number(day), number(holder+1)...)
	}
	return true, m.change(counts)
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
