package cuts

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"

	"smartkiosk/store"
)

// chain makes the records of one outbox from a seed, so that the Checker can
// make them again. A record is
//
//	sequence number 8 bytes | link of the previous record, if any | random bytes
//
// and its link is its SHA-256.
type chain struct {
	seed uint64
	box  int
}

// record returns what seal returns to store.Append.
func (c chain) record(seq uint64, prev []byte) (record, link []byte) {
	random := rand.New(rand.NewPCG(c.seed+uint64(c.box), seq))
	size := 200 + random.IntN(6000)
	if random.IntN(50) == 0 {
		size = store.MaxRecordSize - 8 - len(prev)
	}
	record = binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(prev)+size+8), seq)
	record = append(record, prev...)
	for end := len(record) + size; len(record) < end; {
		record = binary.BigEndian.AppendUint64(record, random.Uint64())[:min(end, len(record)+8)]
	}
	sum := sha256.Sum256(record)
	return record, sum[:]
}

func (c chain) seal(seq uint64, prev []byte) (record, link []byte, err error) {
	record, link = c.record(seq, prev)
	return record, link, nil
}
