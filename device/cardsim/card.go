// Package cardsim is an identity card in software: what a reader would hold,
// down to the bytes. It answers as the Buypass Smartkort is known to (class,
// PIN reference and padding, T=0) and, where nothing is public, as ISO
// 7816-4, -8 and -15 have it; or as one of several other kinds of card do
// (kinds.go). Everything that differs from one kind to another is data: a
// layout says how a kind is spoken to, an Image what personalisation put on
// one card.
//
// A Card can be put into a Slot, in process, into a virtual PC/SC reader with
// ServeVPCD, or into a USB reader in software (package usbreader). It stands in
// for hardware in tests, in the demo and on a technician's bench; its keys lie
// in the clear in its file, so it proves nobody's identity.
package cardsim

import (
	"fmt"
	"maps"
	"sync"
	"time"

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
	evil   Evil
	line   Line
	wait   func(time.Duration) // spends the line's time; nil without a line

	// What a loss of power forgets.
	powered bool
	outside bool // no applet is selected
	current *file
	waiting []byte        // what GET RESPONSE will fetch
	chain   *apdu.Command // what a chain of commands has brought so far
	signing *environment  // digital signature template
	proving *environment  // authentication template
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
	c.outside, c.current = c.layout.applet != nil, c.root
	c.waiting, c.chain, c.signing, c.proving = nil, nil, nil, nil
	for _, p := range c.pins {
		p.verified = false
	}
}
