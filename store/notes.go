package store

import (
	"slices"
	"strings"
)

// Notes returns the notes that no record has cleared, the oldest first. A note is written
// in the same commit as its record, and cleared in the same commit as the record that
// clears it. So the caller knows after a crash which records have no follow-up yet.
func (s *Store) Notes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.last.notes)
}

func validNote(note string) bool {
	return note != "" && len(note) <= maxNote && !strings.ContainsRune(note, 0)
}

// withNote returns notes without the one to clear and with another one at the end. It
// does not change notes.
func withNote(notes []string, add, clears string) []string {
	if add == "" && clears == "" {
		return notes
	}
	notes = slices.DeleteFunc(slices.Clone(notes), func(n string) bool { return n == clears })
	if add != "" {
		notes = append(notes, add)
	}
	return notes[max(0, len(notes)-maxNotes):]
}
