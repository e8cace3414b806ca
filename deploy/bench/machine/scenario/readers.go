//go:build linux

package scenario

import (
	"context"
	"strings"

	"smartkiosk/device/cardsim/usbreader"
	"smartkiosk/device/slot"
)

// otherReaders is a kiosk with readers of other models and with faults.
var otherReaders = build{"zero2w-readers", boards + "zero2w-keypad-lcd.toml", []play{
	{"a kiosk that starts", startUp},
	{"a reader with keys of its own", ownKeys},
	{"a line with bit errors", noisyLine},
	{"a card that stops answering", silentCard},
	{"a reader that hangs", hungReader},
	{"the end", shutDown},
}}

// replacesReader replaces the kiosk's reader by another.
func (k *kiosk) replacesReader(what string, c usbreader.Config) {
	k.rests()
	k.unplugsReader()
	k.reads("reader gone")
	k.sees("Ute av drift")
	k.reader = usbreader.New(c)
	k.report.line("technician", "takes a reader %s", what)
	k.plugsReader()
	k.reads("reader found")
	k.sees("Sett inn kortet")
}

// typed is what a person does on the reader's own keys.
type typed struct {
	pin string
	err error // slot.ErrPadCancelled, or nil
}

// ownKeys is a reader on whose own keys the person types the PIN, for cards of
// T=0 and of T=1.
func ownKeys(k *kiosk) {
	pad := make(chan typed)
	k.replacesReader("with keys", usbreader.Config{Model: usbreader.SPR532, Keypad: func(ctx context.Context) ([]byte, error) {
		select {
		case t := <-pad:
			return []byte(t.pin), t.err
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
		k.expectsVisit("granted")
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
	k.expectsVisit("cancelled by-holder")

	begins("valid")
	k.presses('*')                                                                                 // asks whether to give up
	k.pressesUntil('#', func(rows []string) bool { return strings.HasPrefix(rows[0], "Avbrutt") }) // on the panel, while the reader still asks
	k.report.line("person", "presses # on the panel")
	k.sees("Avbrutt")
	k.takesCard()
	k.sees("Sett inn kortet")
	k.expectsVisit("cancelled by-holder")

	begins("valid")
	k.takesCard()
	k.sees("Sett inn kortet")
	k.expectsVisit("cancelled card-removed")

	begins("valid")
	types("1234")
	letIn()
	k.checksFeed()
}

// faulty configures a reader with a fault at each command that at returns true
// for.
func faulty(f usbreader.Fault, at func(usbreader.Command) bool) usbreader.Config {
	return usbreader.Config{Model: usbreader.Twin, Strike: func(c usbreader.Command) usbreader.Fault {
		if at(c) {
			return f
		}
		return usbreader.None
	}}
}

func always(usbreader.Command) bool        { return true }
func whenSigning(c usbreader.Command) bool { return c.INS == insSign }

// noisyLine is a line with bit errors, and cards that ask for more time. The
// protocols handle both, and the person notices nothing.
func noisyLine(k *kiosk) {
	k.replacesReader("that flips a bit in the first copy of each block", faulty(usbreader.Damage, always))
	blockCard(k)
	k.replacesReader("whose cards ask for more time at each command", faulty(usbreader.AskTime, always))
	k.visits()
}

// silentCard is a card that does not answer the command to sign.
func silentCard(k *kiosk) {
	k.replacesReader("whose cards do not answer when they should sign", faulty(usbreader.Silence, whenSigning))
	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.types("1234")
	k.reads("visit ended", "reason=card-unreadable")
	k.expectsVisit("failed card-unreadable")
	k.takesCard()
	k.sees("Sett inn kortet")
}

// hungReader is a reader that stops answering, until another replaces it.
func hungReader(k *kiosk) {
	k.replacesReader("that will hang", faulty(usbreader.Stall, whenSigning))
	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.types("1234")
	k.reads("visit ended", "reason=card-timeout")
	k.expectsVisit("failed card-timeout")
	k.takesCard()
	k.replacesReader("that works", usbreader.Config{Model: usbreader.Twin})
	k.visits()
}
