package event

import (
	"crypto"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Why an event is not opened. Messages never quote what was sealed.
var (
	ErrTooLarge   = fmt.Errorf("event is over %d bytes", MaxSize)
	ErrMalformed  = errors.New("malformed event")
	ErrAlgorithm  = errors.New("algorithm or header not allowed in an event")
	ErrHubKey     = errors.New("event is sealed to a key that is not at hand")
	ErrSeal       = errors.New("seal of the event is broken")
	ErrDeviceKey  = errors.New("event is signed by another key than the kiosk's")
	ErrSignature  = errors.New("signature of the event is wrong")
	ErrMismatch   = errors.New("event's attributes differ from what was signed")
	ErrOpenerKeys = errors.New("an opener's key is no private P-256 key")
)

// Opener opens events sealed to any of the hub's keys, so that the sealing
// key can be changed while events wait on kiosks.
type Opener struct {
	keys map[string]*ecdsa.PrivateKey // by KeyID
	err  error
}

// NewOpener takes the hub's private sealing keys (P-256). Their own kid is not
// looked at: a key's name is its KeyID. With an unusable key among them every
// Open fails with ErrOpenerKeys.
func NewOpener(keys ...jose.JSONWebKey) *Opener {
	o := &Opener{keys: map[string]*ecdsa.PrivateKey{}}
	for i, k := range keys {
		private, ok := k.Key.(*ecdsa.PrivateKey)
		if !ok {
			o.err = fmt.Errorf("%w: number %d", ErrOpenerKeys, i+1)
			break
		}
		id, err := KeyID(&private.PublicKey)
		if err != nil {
			o.err = fmt.Errorf("%w: number %d", ErrOpenerKeys, i+1)
			break
		}
		o.keys[id] = private
	}
	return o
}

// Opened is an event that was found to be its kiosk's own.
type Opened struct {
	Header
	Payload json.RawMessage // an object
	JWS     string          // the evidence, compact serialisation
	Link    []byte          // what the next event must have as Prev; nil after TypeLost, where nobody knows
}

// Open takes a CloudEvent apart, proves that one of the device keys (P-256;
// several while a kiosk's certificate is renewed) signed it, and that its
// attributes are the signed ones. It does not judge the event's place in the
// chain: see Follows. The payload of a type that Types does not have passes:
// a kiosk may be newer than its hub.
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
	var jwe string
	switch {
	case !outer.is("specversion", "1.0"):
		return Opened{}, fmt.Errorf("%w: specversion is not 1.0", ErrMalformed)
	case !outer.is("datacontenttype", "application/jose"):
		return Opened{}, fmt.Errorf("%w: datacontenttype is not application/jose", ErrMalformed)
	case outer.read("data", &jwe) != nil:
		return Opened{}, fmt.Errorf("%w: data is no string", ErrMalformed)
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
	if _, there := outer.values["prev"]; there || h.attributes() != attributes.attributes() {
		return Opened{}, ErrMismatch
	}
	e := Opened{Header: h, Payload: signed.without(headerNames), JWS: jws}
	if e.Link, err = LinkAfter(e.Type, jws, e.Payload); err != nil {
		return Opened{}, fmt.Errorf("%w: signed text: %w", ErrMalformed, err)
	}
	return e, nil
}

// unseal decrypts the JWE and gives the JWS in it.
func (o *Opener) unseal(jwe string) (string, error) {
	head, err := readCompact(jwe, 5)
	if err != nil {
		return "", err
	}
	// go-jose would inflate a "zip" and look at more header members than the
	// four of ours; its own lists pin only alg and enc.
	if !head.is("alg", string(keyAlgorithm)) || !head.is("enc", string(encryption)) || !head.is("cty", sealedType) ||
		len(head.without([]string{"alg", "enc", "cty", "kid", "epk"})) > len("{}") {
		return "", ErrAlgorithm
	}
	var kid string
	if head.read("kid", &kid) != nil || o.keys[kid] == nil {
		return "", ErrHubKey
	}
	parsed, err := jose.ParseEncryptedCompact(jwe, []jose.KeyAlgorithm{keyAlgorithm}, []jose.ContentEncryption{encryption})
	if err != nil {
		return "", ErrSeal // go-jose's messages quote headers
	}
	jws, err := parsed.Decrypt(o.keys[kid])
	if err != nil {
		return "", ErrSeal
	}
	return string(jws), nil
}

// verify checks the JWS and gives the text that was signed.
func verify(jws string, device []crypto.PublicKey) ([]byte, error) {
	head, err := readCompact(jws, 3)
	if err != nil {
		return nil, err
	}
	if !head.is("alg", string(signAlgorithm)) || !head.is("typ", signedType) ||
		len(head.without([]string{"alg", "typ", "kid"})) > len("{}") {
		return nil, ErrAlgorithm
	}
	parsed, err := jose.ParseSignedCompact(jws, []jose.SignatureAlgorithm{signAlgorithm})
	if err != nil {
		return nil, ErrSignature
	}
	for _, key := range device {
		if id, err := KeyID(key); err != nil || !head.is("kid", id) {
			continue
		}
		text, err := parsed.Verify(key)
		if err != nil {
			return nil, ErrSignature
		}
		return text, nil
	}
	return nil, ErrDeviceKey
}

// readCompact gives the protected header of a compact serialisation. Each
// part must be base64url in its one canonical form: go-jose lets line breaks
// and loose bits pass, and the same signature would have many links.
func readCompact(s string, parts int) (object, error) {
	var head []byte
	split := strings.Split(s, ".")
	if len(split) != parts {
		return object{}, fmt.Errorf("%w: compact serialisation has not %d parts", ErrMalformed, parts)
	}
	for i, part := range split {
		b, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil || strings.ContainsAny(part, "\r\n") {
			return object{}, fmt.Errorf("%w: compact serialisation is not base64url", ErrMalformed)
		}
		if i == 0 {
			head = b
		}
	}
	o, err := readObject(head)
	if err != nil {
		return object{}, fmt.Errorf("%w: protected header: %w", ErrMalformed, err)
	}
	return o, nil
}

// plain is an event as consumers get it.
type plain struct {
	SpecVersion string `json:"specversion"`
	attributes
	DataContentType string          `json:"datacontenttype"`
	JWS             string          `json:"jws"`
	Data            json.RawMessage `json:"data"`
}

// Plain gives the event as a CloudEvent for the feed: the payload in the
// clear, the JWS beside it as the extension attribute jws.
func (e Opened) Plain() ([]byte, error) {
	b, err := json.Marshal(plain{
		SpecVersion: "1.0", attributes: e.attributes(), DataContentType: "application/json", JWS: e.JWS, Data: e.Payload,
	})
	if err != nil {
		return nil, errors.New("cannot encode event in plain")
	}
	return b, nil
}
