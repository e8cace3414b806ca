package demo

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"smartkiosk/device/cardsim"
)

// Deck holds the demo's cards. Each lives as long as the demo, so that a blocked
// PIN stays blocked.
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

// SoftwareSlot is a slot in this process, without reader and PC/SC.
type SoftwareSlot struct {
	*cardsim.Slot
	deck Deck

	mu       sync.Mutex
	inserted string
}

// NewSoftwareSlot returns an empty slot.
func NewSoftwareSlot(deck Deck) *SoftwareSlot {
	return &SoftwareSlot{Slot: cardsim.NewSlot("Software slot"), deck: deck}
}

// Insert inserts the card of this name and removes the one that was in before.
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

// Remove removes the card if there is one.
func (s *SoftwareSlot) Remove() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inserted != "" {
		s.Slot.Remove()
		s.inserted = ""
	}
}

// Inserted returns the name of the inserted card, or "".
func (s *SoftwareSlot) Inserted() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inserted
}
