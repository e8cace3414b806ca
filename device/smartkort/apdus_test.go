package smartkort_test

import (
	"testing"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/smartkort"
)

// TestAPDUs limits the commands and bytes of a visit to a Smartkort with a
// certificate of 1.6 KB: the first card of its kind, a new card of a known kind,
// and a known card. BenchmarkVisit measures the same visits.
func TestAPDUs(t *testing.T) {
	pki, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	card, other := cardsim.NewSlot("card"), cardsim.NewSlot("other")
	card.Insert(withLongCertificate(t, pki, "valid"))
	other.Insert(withLongCertificate(t, pki, "revoked"))
	cache, err := smartkort.NewCache(make([]byte, 32), nil)
	if err != nil {
		t.Fatal(err)
	}
	d := smartkort.Driver{Cache: cache}
	for _, visit := range []struct {
		what         string
		slot         *cardsim.Slot
		apdus, bytes int
	}{
		{"first card of its kind", other, 26, 2600},
		{"first visit", card, 18, 2264},
		{"repeated visit", card, 7, 474},
	} {
		c := benchVisit(t, d, visit.slot)
		if c.apdus > visit.apdus || c.bytes > visit.bytes {
			t.Errorf("%s: %d APDUs and %d bytes, want at most %d and %d", visit.what, c.apdus, c.bytes, visit.apdus, visit.bytes)
		}
	}
}
