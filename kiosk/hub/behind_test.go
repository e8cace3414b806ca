package hub

import (
	"errors"
	"testing"

	"smartkiosk/kiosk/protocol/est"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// A hub keeps copies of some of what it shares with other hubs and with commands. These tests
// hold it back from learning of any change, as a slow machine or network may. It must not refuse
// anybody because of that.

// hubBehind starts a hub that follows no changes any more.
func (b *bed) hubBehind() (h *Hub, url string) {
	b.t.Helper()
	h, url = b.servingHub()
	h.stop()
	h.running.Wait()
	return h, url
}

func TestCodeOfWhichTheHubHasNotHeard(t *testing.T) {
	b := newBed(t)
	h, url := b.hubBehind()
	if _, err := est.CA(t.Context(), url, est.Code{}); !errors.Is(err, est.ErrClosed) {
		t.Errorf("without a code: %v", err)
	}
	code := b.fullCode("k1")
	ca, err := est.CA(t.Context(), url, code)
	if err != nil {
		t.Fatal(err)
	}
	request := requestFor(t, hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}, mustKey(t))
	if _, err := est.Enrol(t.Context(), url, ca, code, request); err != nil {
		t.Fatal(err)
	}
	if seen := h.codes.seen; seen == 0 || h.codes.catchUp(t.Context()) != nil || h.codes.seen != seen+1 {
		t.Errorf("the hub has read the codes up to %d, then %d", seen, h.codes.seen)
	}
	// Revoked by another process: the hub has the older state, and the bucket decides.
	other := b.fullCode("k2")
	if _, err := est.CA(t.Context(), url, other); err != nil {
		t.Fatal(err)
	}
	if err := h.codes.kv.Delete(t.Context(), "k2"); err != nil {
		t.Fatal(err)
	}
	if _, err := est.Enrol(t.Context(), url, ca, other, requestFor(t, hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k2"}, mustKey(t))); err == nil {
		t.Error("a revoked code was accepted")
	}
}

func TestClientOfWhichTheHubHasNotHeard(t *testing.T) {
	b := newBed(t)
	h, url := b.servingHub()
	id := hubapi.Identity{Role: hubapi.RoleConsumer, Name: "office"}
	first := b.holder(url, id, true)
	if err := b.registry().remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if h.identities.known(id).Removed.IsZero() {
			return errors.New("the hub has not heard of the removal")
		}
		return nil
	})
	h.stop()
	h.running.Wait()
	again := b.holder(url, id, true)
	if err := first.accepts(url); err == nil {
		t.Error("the removed certificate is accepted")
	}
	if err := again.accepts(url); err != nil {
		t.Errorf("a consumer that was removed and added again: %v", err)
	}
	if err := b.holder(url, hubapi.Identity{Role: hubapi.RoleConsumer, Name: "new"}, true).accepts(url); err != nil {
		t.Errorf("a new consumer: %v", err)
	}
	// An answer of the registry that is overtaken by a change does not hide it.
	h.identities.learn(id, entry{}, 1000)
	h.identities.remember(id, entry{Certificates: make([]certificateEntry, 1)}, 999)
	if len(h.identities.known(id).Certificates) != 0 {
		t.Error("an older entry has replaced a newer one")
	}
}

func TestSealingKeyOfWhichTheHubHasNotHeard(t *testing.T) {
	b := newBed(t)
	_, url := b.hubBehind()
	k1 := b.kiosk(url, "k1")
	k1.send(k1.events(1), 1)
	if _, err := RotateSealingKey(b.dir); err != nil {
		t.Fatal(err)
	}
	var err error
	if k1.seal, err = event.NewSealer("k1", k1.key, b.publicSeal()); err != nil {
		t.Fatal(err)
	}
	next := k1.events(1)
	_, err = k1.SendEvents(t.Context(), next)
	if p, ok := errors.AsType[*hubapi.Problem](err); !ok || p.Type != hubapi.KindNotReady {
		t.Errorf("an event that is sealed to the new key: %v", err)
	}
	k1.send(next, 2)
}
