package apdutest_test

import (
	"errors"
	"testing"

	"smartkiosk/device/apdu/apdutest"
	"smartkiosk/device/apdu/script"
	"smartkiosk/device/slot"
)

const text = `
atr 3B 00
> 00 A4 00 00 02 3F 00 # select the master file
< 90 00
> 00 B0 00 00 00       # read, pulled in the middle
< no card
`

func play(t *testing.T, commands ...string) (*apdutest.Playback, error) {
	t.Helper()
	p, err := apdutest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range commands {
		_, err = p.Transmit(t.Context(), []byte(c))
	}
	return p, err
}

const selectMF, read = "\x00\xA4\x00\x00\x02\x3F\x00", "\x00\xB0\x00\x00\x00"

func TestPlaybackAsWritten(t *testing.T) {
	p, err := play(t, selectMF, read)
	if !errors.Is(err, slot.ErrNoCard) {
		t.Errorf("the pulled step gave %v", err)
	}
	if err := p.Done(); err != nil {
		t.Error(err)
	}
}

func TestPlaybackDeviations(t *testing.T) {
	for name, commands := range map[string][]string{
		"missing": {selectMF}, "other": {read}, "surplus": {selectMF, read, read},
	} {
		p, _ := play(t, commands...)
		if err := p.Done(); !errors.Is(err, apdutest.ErrScript) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	p, _ := play(t, selectMF)
	p.Close()
	if _, err := p.Transmit(t.Context(), []byte(read)); !errors.Is(err, apdutest.ErrScript) {
		t.Errorf("after Close: got %v", err)
	}
}

func TestBadScript(t *testing.T) {
	if _, err := apdutest.Parse("> 00 # select"); !errors.Is(err, script.ErrMalformed) {
		t.Errorf("got %v", err)
	}
}
