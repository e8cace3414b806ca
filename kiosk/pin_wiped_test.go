package kiosk

import "testing"

// The digits of a PIN are wiped from memory, however its entry ends without a
// verification.
func TestPINIsWiped(t *testing.T) {
	many := make([]Event, MaxPINDigits+1)
	for i := range many {
		many[i] = KeyPressed{Key: '1'}
	}
	for name, c := range map[string]struct{ typed, then []Event }{
		"a digit too many, then correct": {many, []Event{KeyPressed{Key: KeyCorrect}}},
		"the card is taken":              {many[:4], []Event{CardGone{}}},
		"the reader is unplugged":        {many[:4], []Event{ReaderGone{}}},
		"the visit takes too long":       {many[:4], []Event{Elapsed{Timer: TimerVisit}, Elapsed{Timer: TimerState}}},
		"the program stops":              {many[:4], []Event{Stopping{}}},
	} {
		v := New(Config{Languages: []string{"nb"}, Timing: DefaultTiming})
		for _, e := range []Event{CardGone{}, CardInserted{Visit: "v"}, CardRead{Visit: "v"}} {
			v, _ = v.Step(e)
		}
		for _, e := range c.typed {
			v, _ = v.Step(e)
		}
		pin := v.pin // a copy shares the digits
		if pin.Len() == 0 {
			t.Fatalf("%s: no digit was typed", name)
		}
		for _, e := range c.then {
			if elapsed, ok := e.(Elapsed); ok {
				elapsed.Serial = v.serials[elapsed.Timer]
				e = elapsed
			}
			v, _ = v.Step(e)
		}
		if v.pin.Len() != 0 {
			t.Errorf("%s: the visit still has %d digits", name, v.pin.Len())
		}
		if err := pin.Use(func(digits []byte) error {
			for _, d := range digits {
				if d != 0 {
					t.Errorf("%s: the digits are still in memory", name)
					break
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}
