package smartkort_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/tlv"
	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/smartkort"
)

// hostile is a card on which every SELECT succeeds. A test chooses the content of
// each file.
type hostile struct {
	read func(file string, offset, le int) []byte
	file string
	sent int
}

func (h *hostile) ATR() []byte  { return []byte{0x3B, 0x00} }
func (h *hostile) Close() error { return nil }

func (h *hostile) Transmit(_ context.Context, b []byte) ([]byte, error) {
	h.sent++
	c, err := apdu.Parse(b)
	if err != nil {
		return nil, err
	}
	switch c.INS {
	case 0xA4:
		h.file = string(c.Data[len(c.Data)-2:])
		return []byte{0x90, 0x00}, nil
	case 0xB0, 0xC0:
		return h.read(h.file, int(c.P1)<<8|int(c.P2), c.Le), nil
	}
	return []byte{0x6D, 0x00}, nil
}

func ok(b []byte) []byte { return append(bytes.Clone(b), 0x90, 0x00) }

// from returns the content of a file from an offset on, as T=0 does.
func from(file []byte, offset, le int) []byte {
	if offset >= len(file) {
		return []byte{0x6B, 0x00}
	}
	return ok(file[offset:min(len(file), offset+le)])
}

func object(tag uint32, parts ...[]byte) []byte {
	return tlv.Append(nil, tag, bytes.Join(parts, nil)...)
}

func path(file string) []byte { return object(0x30, object(0x04, []byte(file))) }

func bits(b ...byte) []byte { return object(0x03, b) }

var (
	goodODF = bytes.Join([][]byte{object(0xA0, path("\x44\x02")), object(0xA4, path("\x44\x03")), object(0xA8, path("\x44\x01"))}, nil)
	key     = object(0x30, object(0x30), object(0x30, object(0x04, []byte{1}), bits(5, 0x20)), object(0xA1, object(0x30, path("\x40\x01"))))
	cert    = object(0x30, object(0x30), object(0x30, object(0x04, []byte{1})), object(0xA1, object(0x30, path("\x45\x01"))))
)

// files returns the content function of a card with good files, of which own
// replaces some.
func files(own map[string][]byte) func(string, int, int) []byte {
	all := map[string][]byte{"\x50\x31": goodODF, "\x44\x02": key, "\x44\x03": cert, "\x45\x01": {0x30, 0x00}}
	for name, b := range own {
		all[name] = b
	}
	return func(file string, offset, le int) []byte { return from(all[file], offset, le) }
}

// TestHostileCards checks that each card ends with a typed error, after a bounded
// number of commands and with bounded memory.
func TestHostileCards(t *testing.T) {
	endless := bytes.Repeat(object(0x30, object(0x30)), 8192)
	drip := func(good func(string, int, int) []byte) func(string, int, int) []byte {
		return func(file string, offset, le int) []byte { // one byte at a time
			if file != "\x45\x01" {
				return good(file, offset, le)
			}
			return ok([]byte{0x30, 0x82, 0x10, 0x00, 0x00}[min(offset, 4) : min(offset, 4)+1])
		}
	}
	for _, c := range []struct {
		name string
		read func(file string, offset, le int) []byte
		want error
	}{
		{"endless 61xx", func(string, int, int) []byte { return []byte{0x61, 0x10} }, apdu.ErrEndless},
		{"6Cxx for ever", func(string, int, int) []byte { return []byte{0x6C, 0x10} }, smartkort.ErrUnknownCard},
		{"half a status", func(string, int, int) []byte { return []byte{0x90} }, apdu.ErrMalformed},
		{"empty answers", func(string, int, int) []byte { return []byte{0x90, 0x00} }, smartkort.ErrMalformed},
		{"directory full of padding", func(_ string, _, le int) []byte { return ok(make([]byte, le)) }, smartkort.ErrMalformed},
		{"directory without an end", func(_ string, _, le int) []byte { return ok(bytes.Repeat([]byte{0xA6, 0x00}, le/2)) }, smartkort.ErrMalformed},
		{"directory that promises 10 MB", func(string, int, int) []byte { return ok([]byte{0xA0, 0x83, 0x98, 0x96, 0x80}) }, smartkort.ErrMalformed},
		{"directory that ends in an object", files(map[string][]byte{"\x44\x02": key[:len(key)-1]}), smartkort.ErrMalformed},
		{"thousands of objects", files(map[string][]byte{"\x44\x03": endless}), smartkort.ErrMalformed},
		{"thousands of certificates", files(map[string][]byte{"\x44\x03": bytes.Repeat(cert, 60)}), smartkort.ErrMalformed},
		{"certificate of 10 MB", files(map[string][]byte{"\x45\x01": {0x30, 0x83, 0x98, 0x96, 0x80}}), smartkort.ErrMalformed},
		{"certificate cut", files(map[string][]byte{"\x45\x01": {0x30, 0x82, 0x01, 0x00, 0x01}}), smartkort.ErrMalformed},
		{"certificate in single bytes", drip(files(nil)), apdu.ErrEndless},
		{"directory that names itself", files(map[string][]byte{"\x50\x31": object(0xA4, path("\x50\x31"))}), nil}, // and so holds nothing
		{"no directories", files(map[string][]byte{"\x50\x31": object(0xA7, path("\x50\x31"))}), smartkort.ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &hostile{read: c.read}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			card, err := smartkort.Driver{}.Open(t.Context(), h)
			if err == nil {
				_, err = card.Certificates(t.Context())
			}
			runtime.ReadMemStats(&after)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if h.sent > 256 {
				t.Errorf("%d commands", h.sent)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
				t.Errorf("%d bytes allocated", n)
			}
		})
	}
}

// TestVisitIsBounded checks that a card with small answers from many files reaches
// the limit of commands per visit.
func TestVisitIsBounded(t *testing.T) {
	var directory []byte
	for i := range 16 {
		directory = append(directory, object(0x30, object(0x30), object(0x30, object(0x04, []byte{1})),
			object(0xA1, object(0x30, path("\x45"+string(rune(i))))))...)
	}
	good := files(map[string][]byte{"\x44\x03": directory})
	long := append([]byte{0x30, 0x82, 0x20, 0x00}, make([]byte, 0x2000)...)
	h := &hostile{read: func(file string, offset, le int) []byte {
		if file[0] == 0x45 {
			return from(long, offset, le)
		}
		return good(file, offset, le)
	}}
	card, err := smartkort.Driver{}.Open(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := card.Certificates(t.Context()); !errors.Is(err, apdu.ErrEndless) || h.sent > 256 {
		t.Errorf("%d commands, %v", h.sent, err)
	}
}

// spared are attacks with files that a kind does not have.
var spared = map[string]map[cardsim.Evil]bool{
	cardsim.PIV:    {cardsim.LyingLengths: true, cardsim.DirectoryLoop: true, cardsim.HugeCertificate: true},
	cardsim.EstEID: {cardsim.DirectoryLoop: true},
}

// TestEvilCards checks that each attack of the software card, for every kind of
// card, ends the visit with an error, whether or not a good card of the kind was
// here before. AnswersAfterPull does not, because the card is not removed. On the
// slowest line no visit takes more than five seconds, except with the attacks that
// begin at or after the signature.
func TestEvilCards(t *testing.T) {
	kinds := newKinds(t)
	kinds["smartkort"] = testpki.Kind{Card: newPKI(t).Cards["valid"]}
	for name, k := range kinds {
		file, err := k.Card.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		pin := testpki.PIN
		if name == cardsim.T1 || name == cardsim.PIV {
			pin = testpki.LongPIN
		}
		good := k.Card.Image()
		good.Serial = append([]byte{0x01}, good.Serial[1:]...)
		known := disk{}
		visitWith(t, caching(t, known), connect(t, personalised(t, good)), pin)
		for _, evil := range cardsim.Evils {
			for _, keep := range []disk{{}, known} {
				card, err := cardsim.Parse(file)
				if err != nil {
					t.Fatal(err)
				}
				card.TurnEvil(evil)
				var took time.Duration
				card.SetLine(cardsim.Line{Rate: cardsim.DefaultRate}, func(d time.Duration) { took += d })
				l := connect(t, card)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, err = tryVisit(t, caching(t, maps.Clone(keep)), l, pin)
				runtime.ReadMemStats(&after)
				if (err == nil) != (evil == cardsim.AnswersAfterPull || spared[name][evil]) {
					t.Errorf("%s, %s: %v", name, evil, err)
				}
				good := evil == cardsim.WrongSignature || evil == cardsim.AnswersAfterPull
				if len(l.sent) > 80 || took > 5*time.Second && !good {
					t.Errorf("%s, %s: %d commands, %v", name, evil, len(l.sent), took)
				}
				if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 { // the card's own
					t.Errorf("%s, %s: %d bytes allocated", name, evil, n)
				}
			}
		}
	}
}

// TestSilentCard checks that the driver stops waiting for a card that does not answer.
func TestSilentCard(t *testing.T) {
	card := newPKI(t).Cards["valid"]
	for at := 1; at <= 20; at += 6 {
		synctest.Test(t, func(t *testing.T) {
			l := &silent{line: connect(t, card), at: at}
			begin := time.Now()
			_, err := tryVisit(t, smartkort.Driver{}, &line{Conn: l}, testpki.PIN)
			if !errors.Is(err, smartkort.ErrTimeout) || time.Since(begin) > 5*time.Second {
				t.Errorf("silent from command %d on: %v after %v", at, err, time.Since(begin))
			}
		})
	}
}

// silent does not answer from the command with number at on.
type silent struct {
	*line
	at int
}

func (s *silent) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if len(s.sent)+1 >= s.at {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.line.Transmit(ctx, command)
}
