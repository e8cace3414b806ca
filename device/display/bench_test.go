package display_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
	"periph.io/x/conn/v3/physic"

	"smartkiosk/device/display"
	"smartkiosk/device/display/hd44780"
	"smartkiosk/device/display/oled"
	"smartkiosk/device/display/serialtext"
)

// wire adds up the time that a bus would take. It does not wait.
type wire struct {
	perBit time.Duration
	taken  time.Duration
}

func (w *wire) String() string                  { return "wire" }
func (w *wire) SetSpeed(physic.Frequency) error { return nil }
func (w *wire) Flush() error                    { return nil }
func (w *wire) Close() error                    { return nil }
func (w *wire) wait(d time.Duration)            { w.taken += d }
func (w *wire) Write(p []byte) (int, error) {
	w.taken += time.Duration(10*len(p)) * w.perBit
	return len(p), nil
}
func (w *wire) Tx(_ uint16, out, in []byte) error {
	w.taken += time.Duration(9*(1+len(out)+len(in))+2) * w.perBit
	return nil
}

// silent is a pin that is not connected.
type silent struct{ gpiotest.Pin }

func (*silent) Out(gpio.Level) error { return nil }

// wires connects every driver to a wire with its part's clock rate. Six pins have
// no clock: their time is what the controller needs for each instruction.
func wires(b *testing.B) map[string]func() (*wire, *display.Text, int, display.Layout) {
	part := func(w *wire, p display.Part, err error) (*wire, *display.Text, int, display.Layout) {
		if err != nil {
			b.Fatal(err)
		}
		text, err := display.NewText(p)
		if err != nil {
			b.Fatal(err)
		}
		layout := display.Plain
		if _, dots := p.(*oled.Panel); dots {
			layout = display.Heading
		}
		rows, _ := p.Size()
		return w, text, rows, layout
	}
	serial := func(baud int, make func(serialtext.Port) (*serialtext.Part, error)) func() (*wire, *display.Text, int, display.Layout) {
		return func() (*wire, *display.Text, int, display.Layout) {
			w := &wire{perBit: time.Second / time.Duration(baud)}
			p, err := make(w)
			return part(w, p, err)
		}
	}
	panel := func(chip oled.Chip) func() (*wire, *display.Text, int, display.Layout) {
		return func() (*wire, *display.Text, int, display.Layout) {
			w := &wire{perBit: time.Second / 400000}
			p, err := oled.New(w, 0x3c, chip)
			return part(w, p, err)
		}
	}
	return map[string]func() (*wire, *display.Text, int, display.Layout){
		"gpio": func() (*wire, *display.Text, int, display.Layout) {
			w := &wire{}
			pin := func(n string) gpio.PinOut { return &silent{gpiotest.Pin{N: n}} }
			bus, err := hd44780.NewGPIO(hd44780.Pins{RS: pin("RS"), E: pin("E"), D: [4]gpio.PinOut{pin("D4"), pin("D5"), pin("D6"), pin("D7")}}, w.wait)
			if err != nil {
				b.Fatal(err)
			}
			p, err := hd44780.New(bus, 4, 20, hd44780.AnyROM)
			return part(w, p, err)
		},
		"pcf8574": func() (*wire, *display.Text, int, display.Layout) {
			w := &wire{perBit: time.Second / 100000}
			bus, err := hd44780.NewBackpack(w, 0x27, hd44780.Common, w.wait)
			if err != nil {
				b.Fatal(err)
			}
			p, err := hd44780.New(bus, 4, 20, hd44780.AnyROM)
			return part(w, p, err)
		},
		"ssd1306": panel(oled.SSD1306),
		"sh1106":  panel(oled.SH1106),
		"serlcd":  serial(9600, func(p serialtext.Port) (*serialtext.Part, error) { return serialtext.NewSerLCD(p, 4, 20) }),
		"lk204":   serial(19200, func(p serialtext.Port) (*serialtext.Part, error) { return serialtext.NewLK204(p), nil }),
		"dmd110":  serial(9600, func(p serialtext.Port) (*serialtext.Part, error) { return serialtext.NewDMD110(p), nil }),
	}
}

// BenchmarkKeyToDisplay measures the time until a key of a PIN is visible: our
// own time until the last byte is sent, and the time of the bus.
func BenchmarkKeyToDisplay(b *testing.B) {
	for name, open := range wires(b) {
		b.Run(name, func(b *testing.B) {
			w, text, rows, layout := open()
			pin := func(typed int) display.Frame {
				stars := strings.Repeat("*", typed)
				letters := []string{"Tast PIN-koden", "Avslutt med #.", "Rett med *.", "PIN: _"}
				if typed > 0 {
					letters[3] = fmt.Sprintf("PIN: %-10sOK: #", stars)
				}
				if rows == 2 {
					letters = []string{letters[0], fmt.Sprintf("%-11sOK: #", stars)}
				}
				return display.Frame{Rows: letters, Layout: layout}
			}
			frames := []display.Frame{pin(0), pin(1), pin(2), pin(3), pin(4)}
			measure(b, w, text, frames)
		})
	}
}

// BenchmarkFullRefresh measures a frame in which every cell changes.
func BenchmarkFullRefresh(b *testing.B) {
	for name, open := range wires(b) {
		b.Run(name, func(b *testing.B) {
			w, text, rows, layout := open()
			all := func(letters string) display.Frame {
				f := display.Frame{Layout: layout}
				for range rows {
					f.Rows = append(f.Rows, strings.Repeat(letters, 11))
				}
				return f
			}
			ours, bus := measure(b, w, text, []display.Frame{all("xø"), all("øx")})
			b.ReportMetric(float64(ours+bus)/float64(bus), "of-bus")
		})
	}
}

func measure(b *testing.B, w *wire, text *display.Text, frames []display.Frame) (ours, bus time.Duration) {
	if err := text.Show(frames[len(frames)-1]); err != nil {
		b.Fatal(err)
	}
	w.taken = 0
	n := 0
	for b.Loop() {
		if err := text.Show(frames[n%len(frames)]); err != nil {
			b.Fatal(err)
		}
		n++
	}
	ours, bus = b.Elapsed()/time.Duration(n), w.taken/time.Duration(n)
	b.ReportMetric(float64(ours), "ours-ns")
	b.ReportMetric(float64(bus), "bus-ns")
	b.ReportMetric(float64(ours+bus), "key-ns")
	return ours, bus
}
