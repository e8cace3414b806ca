//go:build linux

package scenario

import (
	"context"
	"strings"

	"smartkiosk/device/cardsim/usbreader"
	"smartkiosk/device/slot"
)

// otherReaders is what is played at readers of other kinds and in other moods.
var otherReaders = build{"zero2w-readers", boards + "zero2w-keypad-lcd.toml", []play{
	{"a kiosk that starts", begin},
	{"a reader with keys of its own", ownKeys},
	{"a line that is not clean", uncleanLine},
	{"a card that falls silent", silentCard},
	{"a reader that hangs", hungReader},
	{"the end", end},
}}

// replacesReader puts another reader in the place of the kiosk's.
func (k *kiosk) replacesReader(what string, c usbreader.Config) {
	k.unplugsReader()
	k.reads("reader gone")
	k.sees("Ute av drift")
	k.reader = usbreader.New(c)
	k.report.line("technician", "takes %s", what)
	k.plugsReader()
	k.reads("reader found")
	k.sees("Sett inn kortet")
}

// typed is what a person does at the reader's own keys.
type typed struct {
	pin string
	err error // slot.ErrPadCancelled, or nil
}

// ownKeys is a reader on whose own keys the PIN is typed, by both protocols.
func ownKeys(k *kiosk) {
	pad := make(chan typed)
	k.replacesReader("a reader with keys", usbreader.Config{Model: usbreader.SPR532, Keypad: func(ctx context.Context) ([]byte, error) {
		select {
		case did := <-pad:
			return []byte(did.pin), did.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}})
	types := func(pin string) {
		pad <- typed{pin: pin}
		k.report.line("person", "types %d digits on the reader", len(pin))
	}
	begins := func(card string) {
		k.inserts(card)
		k.sees("kortleseren")
	}
	letIn := func() {
		k.sees("Velkommen")
		k.opens()
		k.takesCard()
		k.sees("Sett inn kortet")
		k.tells("granted")
	}

	begins("valid")
	types("1234")
	letIn()

	begins("t1")
	types("123456")
	letIn()

	begins("valid")
	types("9999")
	k.sees("Feil PIN-kode")
	types("1234")
	letIn()

	begins("valid")
	pad <- typed{err: slot.ErrPadCancelled}
	k.report.line("person", "cancels on the reader")
	k.sees("Avbrutt")
	k.takesCard()
	k.sees("Sett inn kortet")
	k.tells("cancelled by-holder")

	begins("valid")
	k.pressesUntil('*', func(rows []string) bool { return strings.HasPrefix(rows[0], "Avbrutt") }) // on the panel, while the reader still asks
	k.report.line("person", "presses * on the panel")
	k.sees("Avbrutt")
	k.takesCard()
	k.sees("Sett inn kortet")
	k.tells("cancelled by-holder")

	begins("valid")
	k.takesCard()
	k.sees("Sett inn kortet")
	k.tells("cancelled card-removed")

	begins("valid")
	types("1234")
	letIn()
	k.checksFeed()
}

// striking is a reader at which a fault strikes a card at some instruction, or
// at all.
func striking(f usbreader.Fault, at func(usbreader.Command) bool) usbreader.Config {
	return usbreader.Config{Model: usbreader.Twin, Strike: func(c usbreader.Command) usbreader.Fault {
		if at(c) {
			return f
		}
		return usbreader.None
	}}
}

func always(usbreader.Command) bool        { return true }
func whenSigning(c usbreader.Command) bool { return c.INS == insSign }

// uncleanLine is what protocols see to: bits that turn, and cards that want
// more time. The person notices nothing.
func uncleanLine(k *kiosk) {
	k.replacesReader("one that turns a bit of each first block", striking(usbreader.Damage, always))
	blockCard(k)
	k.replacesReader("one whose cards ask for time at each command", striking(usbreader.AskTime, always))
	k.visits()
}

// silentCard is a card that does not answer when it is to sign.
func silentCard(k *kiosk) {
	k.replacesReader("one whose cards fall silent", striking(usbreader.Silence, whenSigning))
	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.types("1234")
	k.reads("visit ended", "reason=card-unreadable")
	k.tells("failed card-unreadable")
	k.takesCard()
	k.sees("Sett inn kortet")
}

// hungReader is a reader that answers nothing any more, until another takes its
// place.
func hungReader(k *kiosk) {
	k.replacesReader("one that will hang", striking(usbreader.Stall, whenSigning))
	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.types("1234")
	k.reads("visit ended", "reason=card-timeout")
	k.tells("failed card-timeout")
	k.takesCard()
	k.replacesReader("one that works", usbreader.Config{Model: usbreader.Twin})
	k.visits()
}
