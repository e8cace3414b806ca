//go:build linux && cgo

package scproxy

import (
	"log/slog"
	"testing"

	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/device/reader"
)

func TestMain(m *testing.M) { pcsctest.Main(m) }

// TestThroughPCSCD logs in with a card in a real PC/SC reader, over TLS.
func TestThroughPCSCD(t *testing.T) {
	card, _ := newCard(t)
	d := pcsctest.Start(t)
	remove := d.Insert(t, card)
	service := New(reader.New("Virtual", slog.New(slog.DiscardHandler)), slog.New(slog.DiscardHandler))
	p := serve(t, service, "s1")
	r := p.call("/scard/list/", "{}")
	if len(r.Readers) != 1 || r.Readers[0] != (readerStatus{pcsctest.Reader, 302}) {
		t.Fatalf("list: %+v", r)
	}
	p.reader = pcsctest.Reader
	login(t, p)
	if responses, _ := p.transmit("00200082"); responses[0] != "9000" {
		t.Errorf("in the session: %v", responses)
	}
	p.post(origin, "/scard/disconnect/", `{"session":"s1"}`)
	if responses, _ := p.transmit("00200082"); responses[0] != "63c3" {
		t.Errorf("in the next: %v", responses)
	}
	p.post(origin, "/scard/disconnect/", `{"session":"s1"}`)
	remove()
	if r := p.call("/scard/list/", "{}"); len(r.Readers) != 1 || r.Readers[0].Status != 303 {
		t.Errorf("card out: %+v", r)
	}
}
