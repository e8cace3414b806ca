package board

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"periph.io/x/conn/v3/physic"

	"smartkiosk/device/cue"
)

// Cues are the sections [cues.NAME], which replace the built-in cues of those names.
// They need a buzzer or lamps.
type Cues map[string]*Cue

// Cue is what a person hears and sees for one outcome.
type Cue struct {
	// Notes are {hertz, milliseconds}; a pitch of 0 is silence. Missing: the
	// built-in tune.
	Notes [][2]int `toml:"notes"`
	// Lamp is "green", "yellow", "red" or "none". Only granted, denied, wrong-pin and
	// attention have one. Missing: the built-in lamp.
	Lamp string `toml:"lamp"`
}

// Names of cues that the checks refer to.
const (
	cueGranted  = "granted"
	cueDenied   = "denied"
	cueWrongPIN = "wrong-pin"
)

// cueNames maps each cue to whether a lamp belongs to it.
var cueNames = map[string]bool{
	"key": false, "refused": false, "attention": true, "reminder": false, "out-of-service": false,
	cueGranted: true, cueDenied: true, cueWrongPIN: true,
}

// Bounds of a cue.
const (
	minPitch, maxPitch = 50, 8000 // Hz, except silence
	longestTune        = 3 * time.Second
	longNote           = 200 * time.Millisecond // between the short and the long notes of a rhythm
)

// Tune returns the notes of a cue, nil for the built-in ones.
func (c Cues) Tune(name string) (tune []cue.Note) {
	if c[name] == nil {
		return nil
	}
	for _, n := range c[name].Notes {
		tune = append(tune, cue.Note{Pitch: physic.Frequency(n[0]) * physic.Hertz, For: time.Duration(n[1]) * time.Millisecond})
	}
	return tune
}

// Lamp returns the lamp of a cue: "green", "yellow", "red", "none", or "" for the
// built-in one.
func (c Cues) Lamp(name string) string {
	if c[name] == nil {
		return ""
	}
	return c[name].Lamp
}

// check returns the first mistake.
func (c Cues) check() error {
	for _, name := range slices.Sorted(maps.Keys(c)) {
		if err := c[name].check(name); err != nil {
			return fmt.Errorf("[cues.%s] %w", name, err)
		}
	}
	// A bystander must not learn from sound or lamp whether a card's holder is
	// unknown here or has typed a wrong PIN.
	if wrong := c[cueWrongPIN]; wrong != nil {
		denied := c[cueDenied]
		if denied == nil || !slices.Equal(wrong.Notes, denied.Notes) || wrong.Lamp != denied.Lamp {
			return errors.New("[cues.wrong-pin] differs from [cues.denied]: a bystander could tell a wrong PIN from a person who has no access: make them equal, or remove [cues.wrong-pin]")
		}
	}
	granted, denied := c[cueGranted], c[cueDenied]
	if granted != nil && denied != nil {
		if granted.Notes != nil && slices.Equal(granted.rhythm(), denied.rhythm()) {
			return errors.New("[cues.granted] and [cues.denied] have the same rhythm: a person who cannot see must tell them apart on a buzzer with one pitch")
		}
		if granted.Lamp == denied.Lamp && granted.Lamp != "" && granted.Lamp != "none" {
			return fmt.Errorf("[cues.granted] and [cues.denied] both have the lamp %q: a person who cannot hear must tell them apart", granted.Lamp)
		}
	}
	return nil
}

func (c *Cue) check(name string) error {
	hasLamp, known := cueNames[name]
	if !known {
		return fmt.Errorf("is no cue: write one of %v", slices.Sorted(maps.Keys(cueNames)))
	}
	if c.Notes != nil && len(c.Notes) == 0 {
		return errors.New("notes is empty: leave it out for the built-in tune")
	}
	var length time.Duration
	for _, n := range c.Notes {
		if n[0] != 0 && (n[0] < minPitch || n[0] > maxPitch) || n[1] <= 0 {
			return fmt.Errorf("notes: [%d, %d] is not a pitch of 0 or %d to %d Hz and a time of at least 1 ms", n[0], n[1], minPitch, maxPitch)
		}
		length += time.Duration(n[1]) * time.Millisecond
	}
	if length > longestTune {
		return fmt.Errorf("notes last %v: at most %v", length, longestTune)
	}
	if !slices.Contains([]string{"", "green", "yellow", "red", "none"}, c.Lamp) {
		return fmt.Errorf("lamp = %q: write green, yellow, red or none", c.Lamp)
	}
	if c.Lamp != "" && !hasLamp {
		return errors.New("lamp: this cue has none, because the lamps show the state of the visit")
	}
	return nil
}

// rhythm returns which of the tones are long.
func (c *Cue) rhythm() (long []bool) {
	for _, n := range c.Notes {
		if n[0] != 0 {
			long = append(long, time.Duration(n[1])*time.Millisecond > longNote)
		}
	}
	return long
}
