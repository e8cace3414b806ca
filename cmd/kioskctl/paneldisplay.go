//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"strings"

	"smartkiosk/device/board"
	"smartkiosk/device/display"
)

// display shows letters and edges and asks which of them are seen. At the end the
// display is empty.
func (t *trial) display(ctx context.Context, part board.Display) {
	checked := make(chan error, 1)
	changed := make(chan error, 8)
	// The keeper is needed because a display that accepts no data must not block the
	// test: see package display.
	keeper := display.Keep(func() (display.Device, error) {
		d, err := part.Open()
		if err != nil {
			return nil, err
		}
		select {
		case checked <- d.Check():
		default: // not the first opening; the test needs only that result
		}
		return d, nil
	}, func(err error) {
		select {
		case changed <- err:
		default: // the display comes and goes; the loss is recorded already
		}
	})
	defer keeper.Close()
	if err := <-changed; err != nil { // the keeper always reports a result soon
		t.fail("%v", err)
		return
	}
	switch err := <-checked; {
	case errors.Is(err, display.ErrBlind):
		t.note("it cannot be asked what it shows")
	case err != nil:
		t.fail("%v", err)
	default:
		t.note("asked, it answers as it should")
	}
	defer keeper.Show(display.Frame{})
	edges, question, help := edgesOf(part)
	for _, shown := range []struct {
		frame                display.Frame
		question, seen, help string
	}{
		{
			display.Frame{Rows: []string{"ÆØÅ æøå", "blåbærøl"}, Layout: part.Form().Layout},
			"Do you see ÆØÅ æøå?", "ÆØÅ æøå are seen",
			"dark, or blocks only: the contrast's trimmer; other letters: rom = \"any\", or the display's own switches",
		},
		{
			display.Frame{Rows: []string{"áčđŋšŧž", "Sámegiella"}, Layout: part.Form().Layout},
			"Do you see á č đ ŋ š ŧ ž, at least without their marks?", "áčđŋšŧž are seen, or letters that look alike",
			"other letters: rom = \"any\", or the display's own switches",
		},
		{edges, question, "every place of the glass shows", help},
	} {
		if t.Result == wrong || t.stopped || ctx.Err() != nil {
			break
		}
		show := func() error { keeper.Show(shown.frame); return nil }
		t.confirm(ctx, show, shown.question, shown.seen, shown.help)
		select {
		case err := <-changed:
			if err != nil {
				t.fail("while it showed this: %v", err)
			}
		default:
		}
	}
}

// edgesOf returns a frame that reaches to the edges of the display's glass, the
// question about it, and advice for the case that it is not seen.
func edgesOf(part board.Display) (f display.Frame, question, help string) {
	form, help := part.Form(), part.Describe().Edges
	if form.Layout != display.Plain {
		return display.Frame{Picture: outline{}}, "Is there a thin line along all four edges?", help
	}
	for row := range form.Rows {
		f.Rows = append(f.Rows, fmt.Sprintf("%d>%s<", row+1, strings.Repeat("-", form.Columns-3)))
	}
	return f, fmt.Sprintf("Do you see rows 1 to %d, each up to < at the right edge?", form.Rows), help
}

// outline is a picture of 128 by 64 dots with the dots at its edge lit.
type outline struct{}

func (outline) ColorModel() color.Model { return color.GrayModel }
func (outline) Bounds() image.Rectangle { return image.Rect(0, 0, 128, 64) }

func (o outline) At(x, y int) color.Color {
	if inner := o.Bounds().Inset(1); (image.Point{X: x, Y: y}).In(inner) {
		return color.Black
	}
	return color.White
}
