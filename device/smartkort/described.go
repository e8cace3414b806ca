package smartkort

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
)

// findByProfile takes a card as its profile describes it, when the card does
// not do that itself. That the profile is the card's shows in what it refuses:
// the application and each certificate must be where the profile has them,
// before any PIN is sent.
func (c *Card) findByProfile(ctx context.Context) (found bool, err error) {
	c.profile = c.profiles.For(c.line.ATR(), nil)
	if len(c.profile.Keys) == 0 {
		return false, nil
	}
	c.app, c.at = c.profile.application(), elsewhere
	c.forgetRead()
	c.token, c.tokenRaw, c.odf = TokenInfo{}, nil, odf{}
	c.keys, c.certificates, c.pins = nil, nil, nil
	if err := c.enter(ctx); isStatus(err) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	for i, f := range c.profile.Keys {
		id := []byte{byte(i + 1)}
		k := Key{ID: id, Label: f.Label, Reference: int(f.Reference), kind: keyRSA}
		if f.Kind == "ec" {
			k.kind = keyEC
		}
		k.Usage = Usage{Sign: f.Use == useAuthentication, NonRepudiation: f.Use == useSignature}
		file, _ := hex.DecodeString(f.Certificate) // checked when it was read
		c.keys = append(c.keys, k)
		c.certificates = append(c.certificates, certificateObject{id: id, label: f.Label, path: Path{File: file}})
	}
	c.keysRead, c.pinsRead, c.certsRead = true, true, true
	return true, nil
}

// application gives where a card that does not describe itself has its PIN and
// keys.
func (p *Profile) application() application {
	a := application{How: "profile " + p.Name}
	if aid, _ := hex.DecodeString(p.Application.AID); len(aid) > 0 {
		a.AID = aid
	} else if a.Path, _ = hex.DecodeString(p.Application.Path); len(a.Path) == 0 {
		a.Path = masterFile
	}
	return a
}

// Uses of a key.
const (
	useAuthentication = "authentication"
	useSignature      = "signature"
)

// checkKeys says what a profile has wrong about a card that does not describe
// itself.
func (p *Profile) checkKeys() error {
	if aid, err := hex.DecodeString(p.Application.AID); err != nil || p.Application.AID != "" && (len(aid) < 5 || len(aid) > 16) {
		return fmt.Errorf("application.aid %q is not an AID of 5 to 16 bytes in hexadecimal", p.Application.AID)
	}
	if p.Application.Path != "" && !isPath(p.Application.Path) {
		return fmt.Errorf("application.path %q is not a path from 3F00 on in hexadecimal", p.Application.Path)
	}
	if p.Application.Path != "" && p.Application.AID != "" {
		return errors.New("application: aid and path, where one is needed")
	}
	for i, k := range p.Keys {
		switch {
		case k.Kind != "rsa" && k.Kind != "ec":
			return fmt.Errorf("key %d: kind %q is not rsa or ec", i+1, k.Kind)
		case k.Use != useAuthentication && k.Use != useSignature:
			return fmt.Errorf("key %d: use %q is not authentication or signature", i+1, k.Use)
		case !isPath(k.Certificate):
			return fmt.Errorf("key %d: certificate %q is not a path from 3F00 on in hexadecimal", i+1, k.Certificate)
		}
	}
	if len(p.Keys) > maxCerts || len(p.Keys) > 0 && p.PIN == nil {
		return fmt.Errorf("key: needs pin, and are %d at most", maxCerts)
	}
	return nil
}

func isPath(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && bytes.HasPrefix(b, masterFile) && len(b)%2 == 0 && len(b) <= 16
}

// pins gives what a directory of PINs would have said.
func (p *Profile) pins() []PIN {
	var all []PIN
	if p.PIN != nil {
		all = append(all, p.PIN.pin())
	}
	if p.PUK != nil {
		puk := p.PUK.pin()
		puk.Unblocking = true
		all = append(all, puk)
	}
	return all
}
