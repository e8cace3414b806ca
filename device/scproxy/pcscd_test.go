//go:build linux && cgo

package scproxy

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/device/reader"
)

func TestMain(m *testing.M) { pcsctest.Main(m) }

// TestThroughPCSCD logs in over TLS with a card in pcscd's first reader. The list does
// not name the second reader, and a page cannot use it.
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
	second := strings.TrimSuffix(pcsctest.Reader, "0") + "1"
	if status, answer := p.post(origin, apduPath(second), p.body("00A40000023F00")); status != http.StatusBadRequest {
		t.Errorf("the second reader: %d %s", status, answer)
	}
	p.reader = pcsctest.Reader
	login(t, p)
	if responses, _ := p.transmit("00200082"); responses[0] != "9000" {
		t.Errorf("in the session: %v", responses)
	}
	p.post(origin, "/scard/disconnect/", `{"session":"s1"}`)
	if responses, _ := p.transmit("00200082"); responses[0] != "63c3" {
		t.Errorf("in the next session: %v", responses)
	}
	p.post(origin, "/scard/disconnect/", `{"session":"s1"}`)
	remove()
	if r := p.call("/scard/list/", "{}"); len(r.Readers) != 1 || r.Readers[0].Status != 303 {
		t.Errorf("card out: %+v", r)
	}
}
