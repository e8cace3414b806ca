package event

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

// Sealer makes the events of one kiosk. Several goroutines may use it if they may
// use the device key. go-jose makes the JWE's content key, IV and ephemeral key
// itself: the caller cannot pass them in, and should not.
type Sealer struct {
	kiosk     string
	signer    jose.Signer
	encrypter jose.Encrypter
}

// NewSealer makes a Sealer from the kiosk's name (letters, digits, ".", "_", "-"; at most
// 63), its device key (P-256) and the hub's public sealing key (P-256).
func NewSealer(kiosk string, key crypto.Signer, hub *jose.JSONWebKey) (*Sealer, error) {
	if !isKiosk(kiosk) {
		return nil, fmt.Errorf("cannot seal events: %q is not a kiosk's name", kiosk)
	}
	deviceID, err := KeyID(key.Public())
	var signer jose.Signer
	if err == nil {
		signer, err = jose.NewSigner(
			jose.SigningKey{Algorithm: signAlgorithm, Key: jose.JSONWebKey{Key: cryptosigner.Opaque(key), KeyID: deviceID}},
			(&jose.SignerOptions{}).WithType(signedType))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot seal events with the device key: %w", err)
	}
	hubID, err := KeyID(hub.Key)
	var encrypter jose.Encrypter
	if err == nil {
		encrypter, err = jose.NewEncrypter(encryption,
			jose.Recipient{Algorithm: keyAlgorithm, Key: hub.Key, KeyID: hubID},
			(&jose.EncrypterOptions{}).WithContentType(sealedType))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot seal events to the hub's public key: %w", err)
	}
	return &Sealer{kiosk: kiosk, signer: signer, encrypter: encrypter}, nil
}

// envelope is a sealed event, as the kiosk stores and sends it.
type envelope struct {
	SpecVersion string `json:"specversion"`
	attributes
	DataContentType string `json:"datacontenttype"`
	Data            string `json:"data"` // compact JWE
}

// claims is the signed object without the payload's members.
type claims struct {
	attributes
	Prev string `json:"prev,omitempty"` // base64url
}

// Seal makes an event from h and payload, which must have the Go type that Types
// lists for h.Type. It returns the CloudEvent, at most MaxSize bytes, and the link
// that the next event's header must have as Prev.
func (s *Sealer) Seal(h Header, payload any) (cloudEvent, link []byte, err error) {
	h.Kiosk = s.kiosk
	if err := checkPayload(h.Type, payload); err != nil {
		return nil, nil, fmt.Errorf("cannot seal event: %w", err)
	}
	if err := h.check(); err != nil {
		return nil, nil, fmt.Errorf("cannot seal event: %w", err)
	}
	text, err := signedText(h, payload)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot seal event: %w", err)
	}
	signature, err := s.signer.Sign(text)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot sign event: %w", err)
	}
	jws, err := signature.CompactSerialize()
	var sealed *jose.JSONWebEncryption
	if err == nil {
		sealed, err = s.encrypter.Encrypt([]byte(jws))
	}
	var jwe string
	if err == nil {
		jwe, err = sealed.CompactSerialize()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("cannot encrypt event: %w", err)
	}
	cloudEvent, _ = json.Marshal(envelope{ // never fails: texts and booleans
		SpecVersion: "1.0", attributes: h.attributes(), DataContentType: "application/jose", Data: jwe,
	})
	if len(cloudEvent) > MaxSize {
		return nil, nil, fmt.Errorf("cannot seal event: %w", ErrTooLarge)
	}
	return cloudEvent, Link(jws), nil
}

// signedText joins the members of header and payload in one object.
func signedText(h Header, payload any) ([]byte, error) {
	head, _ := json.Marshal(claims{ // never fails: texts and booleans
		attributes: h.attributes(), Prev: base64.RawURLEncoding.EncodeToString(h.Prev),
	})
	body, err := json.Marshal(payload)
	if err != nil {
		// The cause is left out because it may quote the payload.
		return nil, errors.New("payload cannot be encoded as JSON")
	}
	if string(body) == "{}" {
		return head, nil
	}
	return append(append(head[:len(head)-1], ','), body[1:]...), nil
}
