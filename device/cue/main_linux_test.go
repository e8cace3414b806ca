package cue

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
)

// filePin stands in for a GPIO line that several processes see: it writes each
// level to a FIFO as one byte. Like a Raspberry Pi's line under its maker's
// kernel, it keeps its level when the process that set it dies.
type filePin struct {
	gpiotest.Pin
	file *os.File
}

func openFilePin(path string) (Output, error) {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return Output{}, errors.New("no such line")
	}
	return Output{Pin: &filePin{Pin: gpiotest.Pin{N: "strike"}, file: file}}, nil
}

func (p *filePin) Out(l gpio.Level) error {
	level := "0"
	if l {
		level = "1"
	}
	_, err := p.file.WriteString(level)
	return err
}

// TestMain: the test binary also runs as the guardian, and as the kiosks that the
// tests kill.
func TestMain(m *testing.M) {
	Guard(openFilePin)
	if len(os.Args) == 4 {
		if kiosk, ok := kiosks[os.Args[1]]; ok {
			open, err := time.ParseDuration(os.Args[3])
			if err == nil {
				err = kiosk(os.Args[2], open)
			}
			fmt.Println("opened", err)
			select {} // hangs until the test kills it
		}
	}
	os.Exit(m.Run())
}

// kiosks are programs that open a strike and do not shut it.
var kiosks = map[string]func(pin string, open time.Duration) error{
	"guarded": func(pin string, open time.Duration) error {
		s, err := OpenStrike(pin, open)
		if err != nil {
			return err
		}
		return s.Open(open)
	},
	"careless": func(pin string, open time.Duration) error {
		o, err := openFilePin(pin)
		if err != nil {
			return err
		}
		return o.Set(true)
	},
}
