package event

import (
	"encoding/base64"
	"fmt"
)

// The evidence of an event is what proves it: the attribute jws, which is the event as the
// kiosk signed it, and the member evidence of the payload, which is what the card signed.
const (
	jwsName      = "jws"
	evidenceName = "evidence"
)

// WithoutEvidence returns an event of the feed (see Opened.Plain) without its evidence. In the
// place of jws it has the attributes evidenceremoved, which is true, and link, which is the
// SHA-256 of the jws as base64url: the next event of the kiosk links to that. WithoutEvidence
// does not change an event without a jws, which a hub wrote.
func WithoutEvidence(plain []byte) ([]byte, error) {
	o, err := readObject(plain)
	if err != nil {
		return nil, fmt.Errorf("cannot remove the evidence of an event: %w", err)
	}
	if o.get(jwsName) == nil {
		return plain, nil
	}
	jws, err := o.text(jwsName)
	if err != nil {
		return nil, fmt.Errorf("cannot remove the evidence of an event: %w", err)
	}
	without := object{make([]member, 0, len(o.members)+1)}
	for _, m := range o.members {
		switch string(m.name) {
		case jwsName:
			digest := `"` + base64.RawURLEncoding.EncodeToString(link(jws)) + `"`
			without.members = append(without.members, member{[]byte("evidenceremoved"), []byte("true")}, member{[]byte("link"), []byte(digest)})
			continue
		case "data":
			if data, err := readObject(m.value); err == nil {
				m.value = data.without([]string{evidenceName})
			}
		}
		without.members = append(without.members, m)
	}
	return without.without(nil), nil
}
