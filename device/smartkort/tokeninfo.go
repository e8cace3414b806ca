package smartkort

import (
	"context"
	"errors"
	"fmt"

	"smartkiosk/device/apdu/tlv"
)

// TokenInfo describes the card as a whole (EF.CardInfo, formerly EF.TokenInfo,
// ISO 7816-15 §8.10).
type TokenInfo struct {
	Serial       []byte
	Manufacturer string
	Label        string
	LastUpdate   string // GeneralizedTime as the card states it, "" when missing
	algorithms   []algorithm
	fingerprint  []byte // the fields that are the same on all cards of one kind: without serial number and date
}

// algorithm is one AlgorithmInfo. Keys refer to it by its reference.
type algorithm struct {
	reference int  // used by keys
	mechanism int  // number of the PKCS #11 mechanism
	signs     bool // supportedOperations has compute-signature
	card      int  // algRef, used in commands; -1 when not stated
}

// TokenInfo returns EF.TokenInfo. It is empty when the card has none.
func (c *Card) TokenInfo() TokenInfo { return c.token }

// readTokenInfo reads EF.TokenInfo of the selected application. It never comes
// from the cache, because it identifies the card.
func (c *Card) readTokenInfo(ctx context.Context) error {
	c.token, c.tokenRaw = TokenInfo{}, nil
	if done, err := c.readTokenInfoShort(ctx); done || err != nil {
		return err
	}
	size, err := c.selectWithin(ctx, fileToken)
	if isStatus(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return c.readCurrentTokenInfo(ctx, Path{File: fileToken}, size)
}

// readCurrentTokenInfo reads EF.TokenInfo, which must be selected.
func (c *Card) readCurrentTokenInfo(ctx context.Context, p Path, size int) error {
	file, err := c.readCurrent(ctx, p, size)
	if isStatus(err) {
		return nil
	}
	if err == nil {
		c.tokenRaw = file
		c.token, err = decodeTokenInfo(file)
	}
	if errors.Is(err, ErrMalformed) { // a visit does not need EF.TokenInfo
		c.note("EF.TokenInfo", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read EF.TokenInfo: %w", err)
	}
	return nil
}

// decodeTokenInfo decodes CardInfo: version, serialNumber OPTIONAL,
// manufacturerID OPTIONAL, label [0] OPTIONAL, cardflags, seInfo OPTIONAL,
// recordInfo [1] OPTIONAL, supportedAlgorithms [2] OPTIONAL, issuerId [3],
// holderId [4], lastUpdate [5] OPTIONAL and more. When there is an error, the
// TokenInfo contains the fields that could be decoded.
func decodeTokenInfo(file []byte) (TokenInfo, error) {
	outer := fields{rest: file}
	f := outer.sequence(tagSequence)
	f.integer(tagInteger)
	var t TokenInfo
	t.Serial, _ = f.optional(tagOctetString)
	if v, ok := f.optional(tagUTF8); ok {
		t.Manufacturer = label(v)
	}
	if v, ok := f.optional(tag0Primitive); ok {
		t.Label = label(v)
	}
	flags, _ := f.optional(tagBitString)
	f.optional(tagSequence)
	f.optional(tag1)
	list, ok := f.optional(tag2)
	var problem error
	if ok {
		t.algorithms, problem = decodeAlgorithms(list)
	}
	for _, part := range [][]byte{[]byte(t.Manufacturer), []byte(t.Label), flags, list} {
		t.fingerprint = tlv.Append(t.fingerprint, tagOctetString, part...)
	}
	f.optional(0x83)
	f.optional(0x84)
	if v, ok := f.optional(tag5); ok {
		last := fields{rest: v}
		if at, ok := last.optional(tagTime); ok {
			t.LastUpdate = label(at)
		}
	} else if v, ok := f.optional(0x85); ok { // some cards use an implicit tag
		t.LastUpdate = label(v)
	}
	if f.err != nil {
		t.fingerprint = nil
		return t, f.err
	}
	return t, problem
}

// decodeAlgorithms decodes AlgorithmInfo: reference, algorithm, parameters,
// supportedOperations, objId OPTIONAL, algRef OPTIONAL (ISO 7816-15 §8.10). The
// parameters have any type or are missing. It skips an entry that it cannot
// decode; the error is that of the first such entry.
func decodeAlgorithms(list []byte) (all []algorithm, problem error) {
	n := 0
	for o, err := range tlv.Objects(list) {
		if n++; n > maxObjects {
			break
		}
		var a algorithm
		if err == nil {
			a, err = decodeAlgorithm(o)
		}
		if err == nil {
			all = append(all, a)
		} else if problem == nil {
			problem = fmt.Errorf("%w: algorithm %d: %v", ErrMalformed, n, err)
		}
	}
	return all, problem
}

func decodeAlgorithm(o tlv.Object) (algorithm, error) {
	s := fields{rest: o.Value}
	a := algorithm{reference: s.natural(tagInteger, 0x7FFFFFFF), card: -1}
	a.mechanism = s.natural(tagInteger, 0x7FFFFFFF)
	operations, ok := s.optional(tagBitString)
	if !ok {
		s.skip() // the parameters
		operations = s.required(tagBitString)
	}
	a.signs = bits(operations).has(1)
	s.optional(0x06)
	if n, ok := s.integer(tagInteger); ok && n >= 0 && n <= 0xFF {
		a.card = n
	}
	return a, s.err
}
