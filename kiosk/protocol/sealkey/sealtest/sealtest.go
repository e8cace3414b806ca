// Package sealtest is a kiosk that seals events, and a hub that opens them and
// replaces its sealing key time and again, in one folder: for tests that cut
// the power meanwhile (store/powercut). It is for tests: no program imports it.
package sealtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/sealkey"
)

// name is the kiosk's.
const name = "k1"

// noon is when a hub's first key is made, and all that happens. Each key is
// made a second after the one before, by sealkey.Rotate.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// Pair is a hub and a kiosk. It implements powercut.Keys.
type Pair struct {
	outbox    string // what the events are about
	hub, path string // the hub's file, the kiosk's
	device    *ecdsa.PrivateKey
	opener    *event.Opener // of all keys that the hub has
	newest    *sealkey.Newest
	sealer    atomic.Pointer[event.Sealer] // nil before the first Follow
}

// Open gives the hub and the kiosk whose files are beside the outbox at a path,
// as after a restart of both. The device key follows from the seed.
func Open(seed uint64, outbox string) (*Pair, error) {
	raw := sha256.Sum256(binary.BigEndian.AppendUint64(nil, seed))
	device, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw[:])
	if err != nil {
		return nil, fmt.Errorf("cannot make a device key: %w", err)
	}
	p := &Pair{outbox: filepath.Base(outbox), hub: outbox + ".hub.jwk", path: outbox + ".seal.jwk", device: device}
	p.newest = sealkey.OpenNewest(p.path, sealkey.Key{}, slog.New(slog.DiscardHandler))
	return p, errors.Join(p.reopen(), p.reseal())
}

// reopen has the hub open with the keys that are in its file, if there is one.
func (p *Pair) reopen() error {
	keys, err := sealkey.ReadPrivate(p.hub)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var all []jose.JSONWebKey
	for _, k := range keys {
		all = append(all, k.JSONWebKey)
	}
	p.opener = event.NewOpener(all...)
	return nil
}

// reseal has events sealed to the newest key, if there is one.
func (p *Pair) reseal() error {
	k := p.newest.Key()
	if k.KeyID == "" {
		return nil
	}
	sealer, err := event.NewSealer(name, p.device, &k.JSONWebKey)
	if err != nil {
		return err
	}
	p.sealer.Store(sealer)
	return nil
}

// Rotate makes a key, and has the hub open with it too.
func (p *Pair) Rotate() error {
	_, err := sealkey.Rotate(p.hub, noon)
	if errors.Is(err, fs.ErrNotExist) {
		err = sealkey.Init(p.hub, noon)
	}
	return errors.Join(err, p.reopen())
}

// Follow has the kiosk hear of the hub's newest key, and seal to that.
func (p *Pair) Follow() error {
	keys, err := sealkey.ReadPrivate(p.hub)
	if err != nil {
		return err
	}
	if _, err := p.newest.Offer(keys[0].Public()); err != nil {
		return err
	}
	return p.reseal()
}

// Newest gives the numbers of the hub's newest key and the kiosk's, from 1 in
// the order in which they were made; 0 for none.
func (p *Pair) Newest() (hub, followed uint64, err error) {
	switch keys, err := sealkey.ReadPrivate(p.hub); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return 0, 0, err
	default:
		if hub = number(keys[0]); hub != uint64(len(keys)) {
			return 0, 0, fmt.Errorf("the hub has %d keys, and the newest is number %d", len(keys), hub)
		}
	}
	switch k, err := sealkey.ReadPublic(p.path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return 0, 0, err
	default:
		followed = number(k)
	}
	return hub, followed, nil
}

func number(k sealkey.Key) uint64 { return uint64(k.Made.Sub(noon)/time.Second) + 1 }

// Seal makes the event of a number, behind one of a link.
func (p *Pair) Seal(seq uint64, prev []byte) (record, link []byte, err error) {
	sealer := p.sealer.Load()
	if sealer == nil {
		return nil, nil, errors.New("cannot seal: there is no key")
	}
	id, err := event.NewID(noon, rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	return sealer.Seal(event.Header{ID: id, Sequence: seq, Prev: prev, Type: event.TypeVisit, Time: noon, BootID: "boot"}, p.visit(seq))
}

// visit is what an event says. Some are as long as one with evidence is.
func (p *Pair) visit(seq uint64) event.Visit {
	token := fmt.Appendf(nil, `{"pad":%q}`, strings.Repeat("x", int(seq*397%4000)))
	return event.Visit{Visit: fmt.Sprintf("%s/%d", p.outbox, seq), Outcome: kiosk.Granted, Evidence: &event.Evidence{Token: token}}
}

// Open opens an event with all keys that the hub has, and gives its link. It
// fails unless it is what Seal made for the number, in its place behind one of
// the link prev, nil where that is not known.
func (p *Pair) Open(seq uint64, prev, record []byte) (link []byte, err error) {
	e, err := p.opener.Open(record, p.device.Public())
	if err != nil {
		return nil, err
	}
	if err := e.Follows(seq-1, prev); err != nil {
		return nil, err
	}
	want, err := json.Marshal(p.visit(seq))
	if err != nil {
		return nil, err
	}
	if string(e.Payload) != string(want) {
		return nil, fmt.Errorf("event %d says %.80s", seq, e.Payload)
	}
	return e.Link, nil
}
