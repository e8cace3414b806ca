// Package sealtest is a kiosk that seals events and a hub that opens them and often rotates
// its sealing key, both in one folder. It is for tests that cut the power meanwhile
// (store/powercut). No program imports it.
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

// name is the kiosk's name.
const name = "k1"

// noon is the time of the hub's first key and of all events. sealkey.Rotate makes each
// later key one second newer than the one before it.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// Pair is a hub and a kiosk. It implements powercut.Keys.
type Pair struct {
	outbox    string // what the events report on
	hub, path string // the hub's file and the kiosk's file
	device    *ecdsa.PrivateKey
	opener    *event.Opener // has all keys of the hub
	newest    *sealkey.Newest
	sealer    atomic.Pointer[event.Sealer] // nil before the first Follow
}

// Open opens the hub and the kiosk whose files are next to the outbox at this path, as
// after a restart of both. The device key is derived from the seed.
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

// reopen loads the keys of the hub's file, if it exists, into the opener.
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

// reseal makes a sealer for the newest key, if there is one.
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

// Rotate makes a new key. The hub then opens events with it too.
func (p *Pair) Rotate() error {
	_, err := sealkey.Rotate(p.hub, noon)
	if errors.Is(err, fs.ErrNotExist) {
		err = sealkey.Init(p.hub, noon)
	}
	return errors.Join(err, p.reopen())
}

// Follow gives the kiosk the hub's newest key. The kiosk seals to it from now on.
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

// Newest returns the numbers of the hub's newest key and of the kiosk's key, counted from 1
// in the order in which they were made; 0 means no key.
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

// Seal makes the event with this sequence number. prev is the link of the previous event.
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

// visit returns the payload of an event. Some are as long as a visit with evidence.
func (p *Pair) visit(seq uint64) event.Visit {
	token := fmt.Appendf(nil, `{"pad":%q}`, strings.Repeat("x", int(seq*397%4000)))
	return event.Visit{Visit: fmt.Sprintf("%s/%d", p.outbox, seq), Outcome: kiosk.Granted, Evidence: &event.Evidence{Token: token}}
}

// Open opens an event with all keys of the hub and returns its link. It fails unless the
// event is the one that Seal made for this number and follows an event with the link prev.
// A nil prev means that the link is unknown.
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
