// Package cardsim implements identity cards in software, down to the bytes that
// a reader exchanges with a card. The default kind answers like the Buypass
// Smartkort where its behaviour is public (class, PIN reference and padding,
// T=0), and otherwise as in ISO 7816-4, -8 and -15. kinds.go has other kinds.
// Differences between kinds are data: a layout describes the commands and files
// of a kind, and an Image the personalisation of one card.
//
// A Card can be inserted into a Slot in the same process, into a virtual PC/SC
// reader with ServeVPCD, or into a USB reader in software (package usbreader).
// It replaces hardware in tests, in the demo and on a technician's bench. Its
// file contains the private keys unencrypted, so it proves no identity.
package cardsim

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"smartkiosk/device/apdu"
)

// Card is one card: its content and its state. Methods may be called from
// several goroutines; the card processes one command at a time.
type Card struct {
	mu     sync.Mutex
	image  Image
	layout *layout
	root   *file
	pins   []*pin
	evil   Evil
	line   Line
	wait   func(time.Duration) // called with the line's time; nil without a line

	// State that is lost without power.
	powered bool
	outside bool // no applet is selected
	current *file
	waiting []byte        // data for GET RESPONSE
	chain   *apdu.Command // the part of a chained command that has arrived
	signing *environment  // digital signature template
	proving *environment  // authentication template
	hashed  []byte        // what PSO: HASH has left

	deciphering *environment // confidentiality template
	half        []byte       // the first half of what is deciphered
}

// New makes a card from its image, without power and with no PIN verified. It
// fails when the image does not fit its kind.
func New(image Image) (*Card, error) {
	l, ok := kinds[image.Kind]
	if !ok {
		return nil, fmt.Errorf("cannot make card: unknown kind %q", image.Kind)
	}
	return newCard(l, image)
}

func newCard(l *layout, image Image) (*Card, error) {
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

// ATR returns the card's answer to reset (ISO 7816-3 §8), nil for a mute card.
// It does not disturb a session.
func (c *Card) ATR() []byte {
	if c.image.Mute {
		return nil
	}
	return c.layout.atr
}

// PowerOn powers the card up, or resets it when it already has power, and
// returns its answer to reset. A mute card stays without power and returns nil.
func (c *Card) PowerOn() (atr []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget()
	c.powered = !c.image.Mute
	return c.ATR()
}

// PowerOff removes the power. The card forgets verified PINs, the selected file
// and the security environment. It keeps tries left and changed PINs.
func (c *Card) PowerOff() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget()
	c.powered = false
}

func (c *Card) forget() {
	c.outside, c.current = c.layout.applet != nil, c.root
	c.waiting, c.chain, c.signing, c.proving, c.hashed = nil, nil, nil, nil, nil
	c.deciphering, c.half = nil, nil
	for _, p := range c.pins {
		p.verified = false
	}
}
