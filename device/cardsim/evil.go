package cardsim

import (
	"bytes"
	"slices"

	"golang.org/x/crypto/cryptobyte/asn1"

	"smartkiosk/device/apdu"
)

// Evil is a hostile behaviour of a card.
type Evil string

const (
	EndlessMore      Evil = "endless-61xx"       // always announces more bytes
	EndlessWrongLe   Evil = "endless-6cxx"       // always requests another Le
	LyingLengths     Evil = "lying-lengths"      // files and objects state wrong lengths, some of gigabytes
	DirectoryLoop    Evil = "directory-loop"     // directories refer to themselves, a hundred times
	HugeCertificate  Evil = "huge-certificate"   // certificates of 10 MB
	AnswersAfterPull Evil = "answers-after-pull" // answers after it was removed from a Slot
	WrongSignature   Evil = "wrong-signature"    // signatures with one wrong bit
)

// Evils are all hostile behaviours.
var Evils = []Evil{EndlessMore, EndlessWrongLe, LyingLengths, DirectoryLoop, HugeCertificate, AnswersAfterPull, WrongSignature}

// TurnEvil makes a card hostile from its next command on, for tests of drivers.
// It lasts, but is not saved in the card's file.
func (c *Card) TurnEvil(e Evil) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.evil = e
	switch e {
	case LyingLengths:
		c.root.each(func(f *file) {
			f.claimed = 0xFFFF
			f.data = lie(f.data)
		})
	case DirectoryLoop:
		c.root.each(func(f *file) {
			switch f.id {
			case idDIR:
				f.data = c.layout.loopingDirectory()
			case idODF, c.layout.aodf, c.layout.prkdf, c.layout.cdf, c.layout.trusted:
				f.data = c.layout.loopingODF()
			}
		})
	case HugeCertificate:
		certificate := slices.Concat([]byte{0x30, 0x84, 0x00, 0x98, 0x96, 0x80}, bytes.Repeat([]byte{0x04, 0x00}, 5_000_000))
		c.root.each(func(f *file) {
			if c.layout.holdsCertificate(f.id) {
				f.data, f.claimed = certificate, 0xFFFF
			}
		})
	}
}

// each calls do for every elementary file below f.
func (f *file) each(do func(*file)) {
	for _, child := range f.children {
		if child.dedicate {
			child.each(do)
		} else {
			do(child)
		}
	}
}

// lie gives the first object of a file the greatest possible length, and makes
// the object inside it longer still.
func lie(data []byte) []byte {
	if len(data) < 16 {
		return data
	}
	header := []byte{data[0], 0x84, 0x7F, 0xFF, 0xFF, 0x00, 0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF}
	return slices.Concat(header, data[len(header):])
}

const turns = 100

// loopingODF is an object directory whose entries all point to EF.ODF.
func (l *layout) loopingODF() []byte {
	return build(func(b object) {
		for range turns {
			for _, tag := range []asn1.Tag{0xA0, 0xA4, 0xA5, 0xA8} {
				b.AddASN1(tag, func(b object) { l.path(b, idODF) })
			}
		}
	})
}

// loopingDirectory is an EF.DIR whose applications are the MF.
func (l *layout) loopingDirectory() []byte {
	return build(func(b object) {
		for range turns {
			b.AddASN1(0x61, func(b object) {
				tlv(b, 0x4F, 0xA0, 0x00, 0x00, 0x00, 0x63)
				tlv(b, 0x51, 0x3F, 0x00)
			})
		}
	})
}

func (l *layout) holdsCertificate(id uint16) bool {
	own := slices.ContainsFunc(l.keys, func(k keyLayout) bool { return k.certificate == id })
	return own || id >= l.authorities && id < l.authorities+maxAuthorities
}

// answerEvil returns a hostile answer; instead is false when the card answers
// normally.
func (c *Card) answerEvil(command []byte) (r apdu.Response, instead bool) {
	switch {
	case c.evil == EndlessMore && len(command) == 5 && command[1] == insGetResponse:
		n := int(command[4])
		if n == 0 {
			n = apdu.MaxShortLe
		}
		return apdu.Response{Data: bytes.Repeat([]byte{0x30}, n), SW: 0x61FF}, true
	case c.evil == EndlessMore:
		return apdu.Response{SW: 0x61FF}, true
	case c.evil == EndlessWrongLe && len(command) == 5:
		return apdu.Response{SW: 0x6C00 | apdu.Status(command[4]^0x01)}, true
	}
	return apdu.Response{}, false
}
