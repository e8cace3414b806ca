package event

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// Errors of Open. Their texts never quote the sealed content.
var (
	ErrTooLarge   = fmt.Errorf("event is over %d bytes", MaxSize)
	ErrMalformed  = errors.New("malformed event")
	ErrAlgorithm  = errors.New("algorithm or header not allowed in an event")
	ErrHubKey     = errors.New("event is sealed to a key that this hub does not have")
	ErrSeal       = errors.New("seal of the event is broken")
	ErrDeviceKey  = errors.New("event is signed by a key that is not the kiosk's")
	ErrSignature  = errors.New("signature of the event is wrong")
	ErrMismatch   = errors.New("event's attributes differ from the signed ones")
	ErrOpenerKeys = errors.New("opener's key is not a private P-256 key")
)

// Opener opens events that are sealed to any of several keys, so that the hub can
// change its sealing key while events wait on kiosks.
type Opener struct {
	keys map[string]*ecdh.PrivateKey // by KeyID
	err  error
}

// NewOpener makes an Opener from the hub's private sealing keys (P-256). It ignores
// the keys' own kid, because a key's name is its KeyID. If one of the keys cannot be
// used, every Open fails with ErrOpenerKeys.
func NewOpener(keys ...jose.JSONWebKey) *Opener {
	o := &Opener{keys: map[string]*ecdh.PrivateKey{}}
	for i, k := range keys {
		private, ok := k.Key.(*ecdsa.PrivateKey)
		if !ok {
			private = &ecdsa.PrivateKey{} // no key
		}
		id, err := KeyID(&private.PublicKey)
		if err == nil {
			o.keys[id], err = private.ECDH()
		}
		if err != nil {
			o.err = fmt.Errorf("%w: number %d", ErrOpenerKeys, i+1)
			break
		}
	}
	return o
}

// Opened is an event whose origin has been proven.
type Opened struct {
	Header
	Payload json.RawMessage // an object
	JWS     string          // the event as the kiosk signed it, compact serialisation
	Link    []byte          // what the next event must have as Prev; nil (unknown) after TypeLost

	// Conflict says that the hub has another event with the same epoch and sequence number.
	// The hub sets it.
	Conflict bool
}

// Open decrypts a CloudEvent and checks that one of the device keys (P-256) signed
// it and that its attributes are the signed ones. There are several device keys
// while a kiosk's certificate is renewed. Open does not check the event's place in
// the chain; see Follows. It accepts types that Types does not list, because a kiosk
// may be newer than its hub.
func (o *Opener) Open(cloudEvent []byte, device ...crypto.PublicKey) (Opened, error) {
	if o.err != nil {
		return Opened{}, fmt.Errorf("cannot open event: %w", o.err)
	}
	opened, err := o.open(cloudEvent, device)
	if err != nil {
		return Opened{}, fmt.Errorf("cannot open event: %w", err)
	}
	return opened, nil
}

func (o *Opener) open(cloudEvent []byte, device []crypto.PublicKey) (Opened, error) {
	if len(cloudEvent) > MaxSize {
		return Opened{}, ErrTooLarge
	}
	outer, err := readObject(cloudEvent)
	if err != nil {
		return Opened{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	attributes, err := readHeader(outer)
	if err != nil {
		return Opened{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	jwe, err := outer.text("data")
	switch {
	case !outer.is("specversion", "1.0"):
		return Opened{}, fmt.Errorf("%w: specversion is not 1.0", ErrMalformed)
	case !outer.is("datacontenttype", "application/jose"):
		return Opened{}, fmt.Errorf("%w: datacontenttype is not application/jose", ErrMalformed)
	case err != nil:
		return Opened{}, fmt.Errorf("%w: data is not a string", ErrMalformed)
	}
	jws, err := o.unseal(jwe)
	if err != nil {
		return Opened{}, err
	}
	text, err := verify(jws, device)
	if err != nil {
		return Opened{}, err
	}
	signed, err := readObject(text)
	if err != nil {
		return Opened{}, fmt.Errorf("%w: signed text: %w", ErrMalformed, err)
	}
	h, err := readHeader(signed)
	if err != nil {
		return Opened{}, fmt.Errorf("%w: signed text: %w", ErrMalformed, err)
	}
	if err := h.check(); err != nil {
		return Opened{}, fmt.Errorf("%w: signed text: %w", ErrMalformed, err)
	}
	if outer.get("prev") != nil || !h.same(attributes) {
		return Opened{}, ErrMismatch
	}
	e := Opened{Header: h, Payload: signed.without(headerNames), JWS: string(jws), Link: link(jws)}
	if !standsIn(e.Type) {
		return e, nil
	}
	if e.Link, err = LinkAfter(e.Type, e.Link, e.Payload); err != nil {
		return Opened{}, fmt.Errorf("%w: signed text: %w", ErrMalformed, err)
	}
	return e, nil
}

// Plain returns the event as a CloudEvent for the feed, on one line: data is the
// payload in plain, and the extension attribute jws is the JWS.
func (e Opened) Plain() ([]byte, error) { return e.AppendPlain(nil) }

// AppendPlain appends what Plain returns to b.
func (e Opened) AppendPlain(b []byte) ([]byte, error) {
	head, _ := json.Marshal(plain{ // never fails: texts and booleans
		SpecVersion: "1.0", attributes: e.attributes(), Conflict: e.Conflict, DataContentType: "application/json",
	})
	// The JWS consists of base64url and dots, and the payload has been read as JSON,
	// so neither needs to be escaped or checked again.
	b = slices.Grow(b, len(head)+len(e.JWS)+len(e.Payload)+len(`,"jws":"","data":`))
	b = append(b, head[:len(head)-1]...)
	b = append(append(append(b, `,"jws":"`...), e.JWS...), `","data":`...)
	if bytes.IndexByte(e.Payload, '\n') < 0 {
		return append(append(b, e.Payload...), '}'), nil
	}
	whole := bytes.NewBuffer(b)
	if err := json.Compact(whole, e.Payload); err != nil {
		return nil, errors.New("cannot encode event in plain")
	}
	return append(whole.Bytes(), '}'), nil
}

// plain is an event as consumers get it, without data and jws.
type plain struct {
	SpecVersion string `json:"specversion"`
	attributes
	Conflict        bool   `json:"conflict,omitempty"`
	DataContentType string `json:"datacontenttype"`
}
