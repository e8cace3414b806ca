package demo

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"smartkiosk/device/cardsim"
)

// Deck is the demo's cards, each kept for the life of the demo, so that a PIN
// blocked by wrong tries stays blocked.
type Deck struct {
	cards map[string]*cardsim.Card
}

// LoadDeck reads every card in a folder.
func LoadDeck(dir string) (Deck, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.card"))
	if err != nil || len(files) == 0 {
		return Deck{}, fmt.Errorf("cannot find cards in %s", dir)
	}
	d := Deck{cards: map[string]*cardsim.Card{}}
	for _, file := range files {
		card, err := cardsim.Load(file)
		if err != nil {
			return Deck{}, err
		}
		d.cards[strings.TrimSuffix(filepath.Base(file), ".card")] = card
	}
	return d, nil
}

func (d Deck) card(name string) (*cardsim.Card, error) {
	card, ok := d.cards[name]
	if !ok {
		var names []string
		for n := range d.cards {
			names = append(names, n)
		}
		slices.Sort(names)
		return nil, fmt.Errorf("there is no card %q: the cards are %s", name, strings.Join(names, ", "))
	}
	return card, nil
}

// SoftwareSlot is a slot in this process: no reader, no PC/SC.
type SoftwareSlot struct {
	*cardsim.Slot
	deck Deck

	mu       sync.Mutex
	inserted string
}

// NewSoftwareSlot makes an empty slot.
func NewSoftwareSlot(deck Deck) *SoftwareSlot {
	return &SoftwareSlot{Slot: cardsim.NewSlot("Software slot"), deck: deck}
}

// Insert puts the card of this name in, in place of the one that is there.
func (s *SoftwareSlot) Insert(name string) error {
	card, err := s.deck.card(name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inserted != "" {
		s.Slot.Remove()
	}
	s.Slot.Insert(card)
	s.inserted = name
	return nil
}

// Remove takes the card out, if there is one.
func (s *SoftwareSlot) Remove() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inserted != "" {
		s.Slot.Remove()
		s.inserted = ""
	}
}

// Inserted is the name of the card that is in, "" for none.
func (s *SoftwareSlot) Inserted() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inserted
}
