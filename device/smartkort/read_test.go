package smartkort_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/tlv"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

// altered is a connection to a software card on which a test replaces the
// content of files and the answers to commands.
type altered struct {
	slot.Conn
	edit   map[uint16]func(content []byte) []byte  // by file identifier
	answer func(a *altered, command []byte) []byte // nil for the card's own answer
	file   uint16                                  // the file that was selected last
	whole  map[uint16][]byte
	sent   int
	wrong  int // VERIFY commands that the card refused
}

func alter(t testing.TB, conn slot.Conn) *altered {
	t.Helper()
	return &altered{Conn: conn, edit: map[uint16]func([]byte) []byte{}, whole: map[uint16][]byte{}}
}

func (a *altered) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	a.sent++
	if command[1] == 0xA4 && len(command) > 6 {
		n := 5 + int(command[4])
		a.file = binary.BigEndian.Uint16(command[n-2 : n])
	}
	if command[1] == 0xB0 && command[2]&0x80 != 0 && len(a.edit) > 0 {
		return []byte{0x6A, 0x86}, nil // an altered card has no short identifiers
	}
	if a.answer != nil {
		if r := a.answer(a, command); r != nil {
			return r, nil
		}
	}
	if command[1] == 0xB0 && a.edit[a.file] != nil {
		offset, le := readBinary(command)
		return from(a.content(), offset, le), nil
	}
	r, err := a.Conn.Transmit(ctx, command)
	if err == nil && command[1] == insVerify && len(command) > 5 && !bytes.Equal(r, []byte{0x90, 0x00}) {
		a.wrong++
	}
	return r, err
}

// readBinary returns the offset and the length that READ BINARY requests.
func readBinary(command []byte) (offset, le int) {
	le = 256
	if len(command) == 5 && command[4] != 0 {
		le = int(command[4])
	}
	return int(binary.BigEndian.Uint16(command[2:4])), le
}

// content returns the whole selected file, as edited.
func (a *altered) content() []byte {
	if b, ok := a.whole[a.file]; ok {
		return b
	}
	var all []byte
	for le := byte(0); ; {
		command := append(binary.BigEndian.AppendUint16([]byte{0x00, 0xB0}, uint16(len(all))), le)
		r, err := a.Conn.Transmit(context.Background(), command)
		if err != nil {
			panic(err)
		}
		response, _ := apdu.ParseResponse(r)
		if n, wrong := response.SW.RightLe(); wrong {
			le = byte(n)
			continue
		}
		if all, le = append(all, response.Data...), 0; len(response.Data) == 0 {
			break
		}
	}
	if edit := a.edit[a.file]; edit != nil {
		all = edit(all)
	}
	a.whole[a.file] = all
	return all
}

// readAll opens a card and reads all its certificates.
func readAll(ctx context.Context, conn slot.Conn) ([]smartkort.Certificate, error) {
	card, err := smartkort.Driver{}.Open(ctx, conn)
	if err != nil {
		return nil, err
	}
	return card.Certificates(ctx)
}

// reading is how a card answers SELECT and READ BINARY.
type reading struct {
	limit    int      // most bytes at a time, 0 for no limit
	limitBy  string   // how it shows: "short", "6C", "refuse"
	beyond   []string // answers to a read beyond the end: "6B00", …, "short", "6282 with data", "6C"
	atEnd    uint16   // status of a read that begins at the end, 0 for one of beyond
	rest     bool     // Le = 00 returns the rest of the file by 61xx
	p2       []byte   // P2 of SELECT that the card accepts
	refuseP2 uint16
	size     string // size in file control information: "right", "zero", "none"

	pick    func(n int) int // chooses one of beyond
	waiting []byte
}

func status(sw uint16) []byte { return binary.BigEndian.AppendUint16(nil, sw) }

func (r *reading) answer(a *altered, command []byte) []byte {
	switch command[1] {
	case 0xA4:
		return r.selectFile(a, command)
	case 0xC0:
		if len(r.waiting) > 0 {
			return r.give()
		}
	case 0xB0:
		offset, le := readBinary(command)
		return r.readBinary(a.content(), offset, le)
	}
	return nil
}

func (r *reading) selectFile(a *altered, command []byte) []byte {
	r.waiting = nil
	p2 := command[3]
	if !bytes.Contains(r.p2, []byte{p2}) {
		return status(r.refuseP2)
	}
	if p2 == 0x0C || command[2] == 0x04 {
		return nil
	}
	silent := bytes.Clone(command)
	silent[3] = 0x0C
	answer, err := a.Conn.Transmit(context.Background(), silent)
	if err != nil || !bytes.Equal(answer, []byte{0x90, 0x00}) {
		return answer
	}
	var fci []byte
	if a.file != 0x5015 && a.file != 0x3F00 {
		switch size := len(a.content()); r.size {
		case "right":
			fci = []byte{0x80, 2, byte(size >> 8), byte(size)}
		case "zero":
			fci = []byte{0x80, 2, 0, 0}
		}
	}
	return append(tlv.Append(nil, 0x6F, append(fci, 0x82, 1, 1)...), 0x90, 0x00)
}

func (r *reading) readBinary(all []byte, offset, le int) []byte {
	r.waiting = nil
	rest := all[min(offset, len(all)):]
	if r.rest && le == 256 && len(rest) > 0 {
		r.waiting = rest
		return r.give()
	}
	if r.limit > 0 && le > r.limit {
		switch {
		case r.limitBy == "refuse":
			return status(0x6700)
		case r.limitBy == "6C" && len(rest) >= r.limit:
			return status(0x6C00 | uint16(r.limit))
		case len(rest) > r.limit:
			return append(bytes.Clone(rest[:r.limit]), 0x90, 0x00)
		}
	}
	if le <= len(rest) {
		return append(bytes.Clone(rest[:le]), 0x90, 0x00)
	}
	if len(rest) == 0 && r.atEnd != 0 {
		return status(r.atEnd)
	}
	how := r.beyond[r.pick(len(r.beyond))]
	if sw, err := binary.BigEndian.Uint16(unhexText(how)), error(nil); err == nil && len(how) == 4 {
		return status(sw)
	}
	switch {
	case how == "6C" && len(rest) > 0:
		return status(0x6C00 | uint16(len(rest)))
	case how == "short" && len(rest) > 0:
		return append(bytes.Clone(rest), 0x90, 0x00)
	case how == "6282 with data" && len(rest) > 0:
		return append(bytes.Clone(rest), 0x62, 0x82)
	}
	return status(0x6B00)
}

// give returns up to 256 of the waiting bytes, and 61xx while there are more.
func (r *reading) give() []byte {
	n := min(256, len(r.waiting))
	b := bytes.Clone(r.waiting[:n])
	if r.waiting = r.waiting[n:]; len(r.waiting) == 0 {
		return append(b, 0x90, 0x00)
	}
	return append(b, 0x61, byte(min(256, len(r.waiting))))
}

func unhexText(s string) []byte {
	var b [2]byte
	fmt.Sscanf(s, "%02X%02X", &b[0], &b[1])
	return b[:]
}

var allBeyond = []string{"6B00", "6700", "6A86", "6282", "short", "6282 with data", "6C"}

// TestFilesAreReadToTheirEnd reads a card whose answers to SELECT and READ
// BINARY are a random mix of those that real cards give. Every certificate must
// be complete.
func TestFilesAreReadToTheirEnd(t *testing.T) {
	p := newPKI(t)
	holder := p.Holders["valid"]
	rapid.Check(t, func(rt *rapid.T) {
		r := &reading{
			atEnd:    rapid.SampledFrom([]uint16{0x6B00, 0x9000, 0x6282, 0x6985, 0x6A82, 0x6F00}).Draw(rt, "at the end"),
			limit:    rapid.SampledFrom([]int{0, 240, 224, 128, 64, 32}).Draw(rt, "limit"),
			limitBy:  rapid.SampledFrom([]string{"short", "6C", "refuse"}).Draw(rt, "limit shows by"),
			beyond:   rapid.SliceOfNDistinct(rapid.SampledFrom(allBeyond), 1, 4, rapid.ID).Draw(rt, "beyond the end"),
			rest:     rapid.Bool().Draw(rt, "rest by 61xx"),
			p2:       rapid.SampledFrom([][]byte{{0x0C}, {0x00}, {0x04}, {0x0C, 0x00}, {0x00, 0x04}}).Draw(rt, "P2"),
			refuseP2: rapid.SampledFrom([]uint16{0x6A86, 0x6700, 0x6A81, 0x6B00}).Draw(rt, "refusal of P2"),
			size:     rapid.SampledFrom([]string{"right", "zero", "none"}).Draw(rt, "size"),
			pick:     func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "answer beyond the end") },
		}
		a := alter(t, connect(t, p.Cards["valid"]).Conn)
		a.answer = r.answer
		certs, err := readAll(t.Context(), a)
		if err != nil || len(certs) != 2 || !bytes.Equal(certs[0].DER, holder.Authentication.Certificate.Raw) ||
			!bytes.Equal(certs[1].DER, holder.Signature.Certificate.Raw) {
			rt.Errorf("%d certificates after %d commands, %v", len(certs), a.sent, err)
		}
	})
}

// TestKnownReadings names the answers that were met on real cards, each alone.
func TestKnownReadings(t *testing.T) {
	p := newPKI(t)
	all := []byte{0x0C, 0x00, 0x04}
	for name, r := range map[string]*reading{
		"6B00 beyond the end (IAS ECC)":         {beyond: []string{"6B00"}, p2: all},
		"6700 beyond the end":                   {beyond: []string{"6700"}, p2: all},
		"6A86 beyond the end":                   {beyond: []string{"6A86"}, p2: all},
		"6282 without data":                     {beyond: []string{"6282"}, p2: all},
		"6282 with data":                        {beyond: []string{"6282 with data"}, p2: all},
		"6B00, and the size is in the FCI":      {beyond: []string{"6B00"}, p2: []byte{0x00}, refuseP2: 0x6A86, size: "right"},
		"6B00, and the size in the FCI is 0":    {beyond: []string{"6B00"}, p2: []byte{0x04}, refuseP2: 0x6A86, size: "zero"},
		"no size in the FCI":                    {beyond: []string{"short"}, p2: []byte{0x00}, refuseP2: 0x6A81, size: "none"},
		"the rest of the file by 61xx (EstEID)": {beyond: []string{"6C"}, rest: true, p2: all},
		"224 bytes at a time":                   {beyond: []string{"short"}, limit: 224, limitBy: "short", p2: all},
		"128 bytes at a time":                   {beyond: []string{"short"}, limit: 128, limitBy: "short", p2: all},
		"64 bytes at a time by 6C40":            {beyond: []string{"6C"}, limit: 64, limitBy: "6C", p2: all},
		"32 bytes at a time, more is refused":   {beyond: []string{"6B00"}, limit: 32, limitBy: "refuse", p2: all},
	} {
		t.Run(name, func(t *testing.T) {
			r.pick = func(int) int { return 0 }
			a := alter(t, connect(t, p.Cards["valid"]).Conn)
			a.answer = r.answer
			if certs, err := readAll(t.Context(), a); err != nil || len(certs) != 2 {
				t.Errorf("%d certificates, %v", len(certs), err)
			}
		})
	}
}

// TestShortBlockAtObject: a block that is shorter than requested and ends
// exactly where an object ends is not the end of the file.
func TestShortBlockAtObject(t *testing.T) {
	a := alter(t, connect(t, newPKI(t).Cards["valid"]).Conn)
	a.answer = func(a *altered, command []byte) []byte {
		if command[1] != 0xB0 || a.file != 0x4403 {
			return nil
		}
		all := a.content()
		offset, _ := readBinary(command)
		first, _ := tlv.Size(all)
		if offset >= len(all) {
			return status(0x6B00)
		}
		return append(bytes.Clone(all[offset:min(offset+first, len(all))]), 0x90, 0x00)
	}
	if certs, err := readAll(t.Context(), a); err != nil || len(certs) != 2 {
		t.Errorf("%d certificates, %v", len(certs), err)
	}
}
