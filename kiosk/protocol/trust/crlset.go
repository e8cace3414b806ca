package trust

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"time"
)

// A CRL set is a short form of a CRL that a kiosk can download over a slow
// connection and keep in memory. It contains the revoked serial numbers, the
// scope and the validity of the CRL, but no revocation dates, no reasons and no
// signature of the CA. A CRL with a million entries shrinks from 40 MB to 8 MB.
// Since a set is not signed, its reader needs its digest from a trusted party
// that has verified the CRL.
//
//	smartkiosk-crl-set 1 LF
//	{"issuer":…,"this_update":…,…,"count":N} LF
//	N marks (see serials), 8 bytes each, big-endian, ascending

const (
	crlSetMagic   = "smartkiosk-crl-set 1\n"
	maxCRLSetHead = maxCRLElement
	maxCRLSet     = maxCRL / minCRLEntry // marks
)

// crlSetHead is the second line of a CRL set.
type crlSetHead struct {
	Issuer     []byte    `json:"issuer"` // the name, DER
	ThisUpdate time.Time `json:"this_update"`
	NextUpdate time.Time `json:"next_update,omitzero"`
	Number     *big.Int  `json:"number,omitempty"`
	OnlyUsers  bool      `json:"only_users,omitempty"`
	OnlyCAs    bool      `json:"only_cas,omitempty"`
	Points     []string  `json:"points"` // null: the CRL covers all
	Count      int       `json:"count"`
}

// WriteTo writes c as a CRL set. Equal CRLs result in the same bytes.
func (c *CRL) WriteTo(w io.Writer) (int64, error) {
	marks := slices.Compact(slices.Clone(c.revoked))
	head, err := json.Marshal(crlSetHead{
		Issuer: c.issuer, ThisUpdate: c.ThisUpdate.UTC(), NextUpdate: c.NextUpdate.UTC(), Number: c.Number,
		OnlyUsers: c.onlyUsers, OnlyCAs: c.onlyCAs, Points: c.points, Count: len(marks),
	})
	if err != nil {
		return 0, fmt.Errorf("cannot write CRL set: %w", err)
	}
	out := bufio.NewWriterSize(w, 1<<16)
	out.WriteString(crlSetMagic)
	out.Write(append(head, '\n'))
	var room [8]byte
	for _, m := range marks {
		binary.BigEndian.PutUint64(room[:], m)
		out.Write(room[:])
	}
	if err := out.Flush(); err != nil {
		return 0, fmt.Errorf("cannot write CRL set: %w", err)
	}
	return int64(len(crlSetMagic) + len(head) + 1 + 8*len(marks)), nil
}

// ReadCRLSet reads a CRL set that WriteTo wrote. No data may follow it. The CRL
// in memory takes 8 bytes for each listed certificate. A set has no signature:
// the caller must have compared its digest with a trusted one.
func ReadCRLSet(r io.Reader) (*CRL, error) {
	c, err := readCRLSet(bufio.NewReaderSize(r, maxCRLSetHead))
	if err != nil {
		return nil, fmt.Errorf("cannot read CRL set: %w", err)
	}
	return c, nil
}

func readCRLSet(in *bufio.Reader) (*CRL, error) {
	magic := make([]byte, len(crlSetMagic))
	if _, err := io.ReadFull(in, magic); err != nil || string(magic) != crlSetMagic {
		return nil, errors.New("it does not begin with the line of a CRL set")
	}
	line, err := in.ReadSlice('\n')
	if err != nil {
		return nil, errors.New("its head is cut short or too long")
	}
	var head crlSetHead
	if err := json.Unmarshal(line, &head); err != nil {
		return nil, errors.New("its head is unreadable")
	}
	switch {
	case len(head.Issuer) == 0 || head.ThisUpdate.IsZero():
		return nil, errors.New("its head names no issuer or no time")
	case head.Number != nil && head.Number.Sign() < 0:
		return nil, errors.New("its number is negative")
	case head.Count < 0 || head.Count > maxCRLSet:
		return nil, fmt.Errorf("it claims %d entries", head.Count)
	}
	c := &CRL{
		ThisUpdate: head.ThisUpdate, NextUpdate: head.NextUpdate, Number: head.Number,
		issuer: head.Issuer, onlyUsers: head.OnlyUsers, onlyCAs: head.OnlyCAs, points: head.Points,
		revoked: serials{},
	}
	var room [8]byte
	for i := range head.Count {
		if _, err := io.ReadFull(in, room[:]); err != nil {
			return nil, errors.New("it is cut short")
		}
		m := binary.BigEndian.Uint64(room[:])
		if i > 0 && m <= c.revoked[i-1] {
			return nil, fmt.Errorf("entry %d is not after the one before", i+1)
		}
		if i%setStep == 0 { // grow in steps, because the count in the head may be wrong
			c.revoked = slices.Grow(c.revoked, min(head.Count-i, max(setStep, i)))
		}
		c.revoked = append(c.revoked, m)
	}
	if _, err := in.Peek(1); err == nil {
		return nil, errors.New("something follows it")
	}
	c.revoked = slices.Clip(c.revoked)
	return c, nil
}

// setStep is how many marks ReadCRLSet allocates at first.
const setStep = 1 << 13
