// Package cardsim is an identity card in software: what a reader would hold,
// down to the bytes. It answers as the Buypass Smartkort is known to (class,
// PIN reference and padding, T=0) and, where nothing is public, as ISO
// 7816-4, -8 and -15 have it. Everything that differs from one kind of card
// to another is data: a layout (smartkort.go) says how a kind is spoken to,
// an Image what personalisation put on one card.
//
// A Card can be put into a Slot, in process, or into a virtual PC/SC reader
// with ServeVPCD. It stands in for hardware in tests, in the demo and on a
// technician's bench; its keys lie in the clear in its file, so it proves
// nobody's identity.
package cardsim

import (
	"fmt"
	"maps"
	"sync"

	"smartkiosk/device/apdu"
)

// Card is one card: what is on it, and what it remembers. Methods may be
// called from several goroutines; the card answers them one at a time.
type Card struct {
	mu     sync.Mutex
	image  Image
	layout *layout
	root   *file
	pins   []*pin

	// What a loss of power forgets.
	powered bool
	current *file
	waiting []byte // what GET RESPONSE will fetch
	signing *keyLayout
}

// New makes a card from its image, as it leaves personalisation: without
// power, nothing verified. It fails when the image does not fit its kind.
func New(image Image) (*Card, error) {
	l, ok := kinds[image.Kind]
	if !ok {
		return nil, fmt.Errorf("cannot make card: unknown kind %q", image.Kind)
	}
	if err := image.check(l); err != nil {
		return nil, fmt.Errorf("cannot make card: %w", err)
	}
	image.Keys = maps.Clone(image.Keys)
	c := &Card{image: image, layout: l, root: buildFiles(l, image)}
	for i := range l.pins {
		p := image.PINs[l.pins[i].name]
		c.pins = append(c.pins, &pin{layout: &l.pins[i], value: l.pins[i].padded(p.Value), left: p.Left})
	}
	return c, nil
}

// ATR gives what the card answers to reset (ISO 7816-3 §8), nil for a mute
// card. It does not disturb a session.
func (c *Card) ATR() []byte {
	if c.image.Mute {
		return nil
	}
	return c.layout.atr
}

// PowerOn powers the card up, or resets it when it has power already, and
// gives its answer to reset; nil for a mute card, which stays without power.
func (c *Card) PowerOn() (atr []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget()
	c.powered = !c.image.Mute
	return c.ATR()
}

// PowerOff takes the power away: verified PINs, the selected file and the
// security environment are forgotten. Tries left stay, and so does a changed
// PIN.
func (c *Card) PowerOff() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget()
	c.powered = false
}

func (c *Card) forget() {
	c.current, c.waiting, c.signing = c.root, nil, nil
	for _, p := range c.pins {
		p.verified = false
	}
}

// Transmit takes one command as T=0 carries it (ISO 7816-3 §10.3.2: CLA INS
// P1 P2 P3, then P3 bytes when the command has data; P3 may be left out when
// it is 0) and gives the response with its status bytes. Data that answers a
// command with data waits for GET RESPONSE, as 61xx says. A card without
// power gives nil: no answer at all.
func (c *Card) Transmit(command []byte) (response []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.powered {
		return nil
	}
	return c.answer(command).Bytes()
}

// instruction is what the card does on one INS. Exactly one of take and give
// is set, for in T=0 data flows one way.
type instruction struct {
	take  func(*Card, apdu.Command) ([]byte, apdu.Status) // the reader sends; the data given waits
	give  func(*Card, apdu.Command) ([]byte, apdu.Status) // the card sends, out of all that is given
	onPIN bool                                            // the kind's pinCLA is accepted, too
}

const insGetResponse = 0xC0

var instructions = map[byte]instruction{
	0x20:           {take: (*Card).verify, onPIN: true},
	0x22:           {take: (*Card).manageSecurityEnvironment},
	0x24:           {take: (*Card).changeReferenceData, onPIN: true},
	0x2A:           {take: (*Card).performSecurityOperation},
	0x2C:           {take: (*Card).resetRetryCounter, onPIN: true},
	0xA4:           {take: (*Card).selectFile},
	0xB0:           {give: (*Card).readBinary},
	insGetResponse: {give: (*Card).getResponse},
}

func (c *Card) answer(b []byte) apdu.Response {
	if len(b) < 4 {
		return apdu.Response{SW: apdu.WrongLength}
	}
	if len(b) == 4 {
		b = append(b[:4:4], 0)
	}
	cmd := apdu.Command{CLA: b[0], INS: b[1], P1: b[2], P2: b[3], Data: b[5:]}
	p3 := int(b[4])
	do, ok := instructions[cmd.INS]
	switch {
	case !ok:
		return apdu.Response{SW: apdu.INSUnsupported}
	case cmd.CLA != 0 && !(do.onPIN && cmd.CLA == c.layout.pinCLA):
		return apdu.Response{SW: apdu.CLAUnsupported}
	case do.take != nil:
		c.waiting = nil
		if len(cmd.Data) != p3 {
			return apdu.Response{SW: apdu.WrongLength}
		}
		data, sw := do.take(c, cmd)
		if sw != apdu.OK {
			return apdu.Response{SW: sw}
		}
		c.waiting = data
		return apdu.Response{SW: c.more()}
	case len(cmd.Data) != 0:
		return apdu.Response{SW: apdu.WrongLength}
	}

	if cmd.INS != insGetResponse {
		c.waiting = nil
	}
	if cmd.Le = p3; p3 == 0 {
		cmd.Le = apdu.MaxShortLe
	}
	data, sw := do.give(c, cmd)
	switch {
	case sw != apdu.OK:
		return apdu.Response{SW: sw}
	case len(data) < cmd.Le:
		return apdu.Response{SW: 0x6C00 | apdu.Status(len(data))}
	}
	if cmd.INS == insGetResponse {
		c.waiting = data[cmd.Le:]
	}
	return apdu.Response{Data: data[:cmd.Le], SW: c.more()}
}

// more is 61xx when bytes wait, 9000 when none do (ISO 7816-4 §5.6.4).
func (c *Card) more() apdu.Status {
	switch n := len(c.waiting); {
	case n == 0:
		return apdu.OK
	case n >= apdu.MaxShortLe:
		return 0x6100
	default:
		return 0x6100 | apdu.Status(n)
	}
}

// getResponse is GET RESPONSE (ISO 7816-4 §11.7.1).
func (c *Card) getResponse(cmd apdu.Command) ([]byte, apdu.Status) {
	switch {
	case cmd.P1 != 0 || cmd.P2 != 0:
		return nil, apdu.WrongP1P2
	case len(c.waiting) == 0:
		return nil, apdu.ConditionsNotSatisfied
	}
	return c.waiting, apdu.OK
}
