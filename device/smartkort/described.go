package smartkort

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// findByProfile uses the profile's description of a card that does not
// describe itself. It detects a wrong profile before any PIN is sent: the
// application and each certificate must be where the profile says. applet is the
// applet that is selected, nil for none.
func (c *Card) findByProfile(ctx context.Context, applet []byte) (found bool, err error) {
	c.profile = c.profiles.find(c.channel.ATR(), nil, applet)
	if len(c.profile.Keys) == 0 || applet != nil && !c.profile.names(applet) {
		return false, nil
	}
	c.app, c.at = c.profile.application(), elsewhere
	switch {
	case applet == nil:
	case c.profile.Application.AID == "" && c.profile.Application.Path == "":
		c.app.AID, c.at = applet, inApplication
	default:
		c.app.Applet = applet
	}
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
		k := Key{ID: id, Label: f.Label, Reference: int(f.Reference), kind: map[string]uint32{"rsa": keyRSA, "ec": keyEC}[f.Kind]}
		k.Usage = Usage{Sign: f.Use == useAuthentication, NonRepudiation: f.Use == useSignature}
		file, _ := hex.DecodeString(f.Certificate) // checkKeys has checked both
		tag, _ := hex.DecodeString(f.Object)
		c.keys = append(c.keys, k)
		c.certificates = append(c.certificates, certificateObject{id: id, label: f.Label, path: Path{File: file, Object: tag}})
	}
	c.keysRead, c.pinsRead, c.certsRead = true, true, true
	if applet == nil {
		return true, nil
	}
	return c.hasCertificate(ctx)
}

// hasCertificate reports whether one of the profile's certificates is on the card. A
// card that accepts every SELECT is no proof of an applet.
func (c *Card) hasCertificate(ctx context.Context) (bool, error) {
	for _, o := range c.certificates {
		_, err := c.readObject(ctx, o.path)
		if err == nil || !skippable(err) {
			return err == nil, err
		}
	}
	c.keysRead, c.pinsRead, c.certsRead = false, false, false
	return false, nil
}

// names reports whether the profile names the applet. A profile that only has the
// card's answer to reset is no reason to ignore how the card describes itself.
func (p *Profile) names(applet []byte) bool {
	aid := fmt.Sprintf("%X", applet)
	return p.Match.Applet == aid || slices.Contains(p.Application.Applets, aid)
}

// application returns where a card that does not describe itself has its PIN
// and keys.
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

// checkKeys checks the part of a profile for cards that do not describe
// themselves.
func (p *Profile) checkKeys() error {
	if aid, err := hex.DecodeString(p.Application.AID); err != nil || p.Application.AID != "" && (len(aid) < 5 || len(aid) > 16) {
		return fmt.Errorf("application.aid %q is not an AID of 5 to 16 bytes in hexadecimal", p.Application.AID)
	}
	if p.Application.Path != "" && !isPath(p.Application.Path) {
		return fmt.Errorf("application.path %q is not a hexadecimal path that starts with 3F00", p.Application.Path)
	}
	if p.Application.Path != "" && p.Application.AID != "" {
		return errors.New("application has both aid and path; only one is allowed")
	}
	for i, k := range p.Keys {
		switch {
		case k.Kind != "rsa" && k.Kind != "ec" && k.Kind != "":
			return fmt.Errorf("key %d: kind %q is not rsa or ec", i+1, k.Kind)
		case k.Use != useAuthentication && k.Use != useSignature:
			return fmt.Errorf("key %d: use %q is not authentication or signature", i+1, k.Use)
		case k.Certificate == "" && k.Object == "":
			return fmt.Errorf("key %d: certificate is missing", i+1)
		case k.Certificate != "" && k.Object != "":
			return fmt.Errorf("key %d has both certificate and object; only one is allowed", i+1)
		case k.Object != "" && !isTag(k.Object):
			return fmt.Errorf("key %d: object %q is not a hexadecimal tag of 1 to 3 bytes", i+1, k.Object)
		case k.Object == "" && !isPath(k.Certificate) && !isIdentifier(k.Certificate):
			return fmt.Errorf("key %d: certificate %q is not a hexadecimal path that starts with 3F00, or an identifier of 2 bytes", i+1, k.Certificate)
		}
	}
	if len(p.Keys) > maxCerts {
		return fmt.Errorf("more than %d keys", maxCerts)
	}
	if len(p.Keys) > 0 && p.PIN == nil {
		return errors.New("pin is missing; a profile with keys needs it")
	}
	return nil
}

func isPath(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && bytes.HasPrefix(b, masterFile) && len(b)%2 == 0 && len(b) <= 16
}

func isIdentifier(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 2
}

func isTag(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) >= 1 && len(b) <= 3
}

// pins returns the profile's PIN and PUK.
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
