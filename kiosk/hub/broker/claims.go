package broker

import (
	"encoding/json"
	"math"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"smartkiosk/kiosk"
)

// Bounds of claims.
const (
	maxMembers = 200
	maxText    = 16 << 10 // bytes, of a certificate
	maxMethods = 20       // in amr
)

// claims are those members of an ID token or of UserInfo that the hub uses. All others,
// among them a national identity number, are dropped when they are read.
type claims struct {
	Subject         string
	AuthorizedParty string
	IssuedAt        time.Time
	NotBefore       time.Time
	Expiry          time.Time
	AuthTime        time.Time
	ACR             string
	AMR             []string
	text            map[string]string // of any other claim that is a text
}

func (c *claims) read(token *oidc.IDToken) error {
	var raw json.RawMessage
	if err := token.Claims(&raw); err != nil {
		return refuse(kiosk.BrokerAnswer, "the claims cannot be read")
	}
	read, err := readClaims(raw)
	if err == nil {
		*c = *read
	}
	return err
}

// readClaims reads a JSON object of claims.
func readClaims(text []byte) (*claims, error) {
	var all map[string]json.RawMessage
	if decodeObject(text, &all) != nil {
		return nil, refuse(kiosk.BrokerAnswer, "the claims are not a JSON object")
	}
	if len(all) > maxMembers {
		return nil, refuse(kiosk.BrokerAnswer, "there are more than %d claims", maxMembers)
	}
	c := &claims{text: map[string]string{}}
	for name, value := range all {
		if isPersonalNumber(name) {
			continue
		}
		if err := c.set(name, value); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *claims) set(name string, value json.RawMessage) error {
	bad := refuse(kiosk.BrokerAnswer, "a claim of the protocol has the wrong form")
	switch name {
	case "sub":
		if json.Unmarshal(value, &c.Subject) != nil {
			return bad
		}
		c.text[name] = c.Subject
	case "azp":
		if json.Unmarshal(value, &c.AuthorizedParty) != nil {
			return bad
		}
	case "acr":
		if json.Unmarshal(value, &c.ACR) != nil {
			return bad
		}
	case "amr":
		if json.Unmarshal(value, &c.AMR) != nil {
			// Some brokers send one method as a text.
			var one string
			if json.Unmarshal(value, &one) != nil {
				return bad
			}
			c.AMR = []string{one}
		}
		if len(c.AMR) > maxMethods {
			return bad
		}
	case "iat", "nbf", "exp", "auth_time":
		at, ok := readTime(value)
		if !ok {
			return bad
		}
		*map[string]*time.Time{"iat": &c.IssuedAt, "nbf": &c.NotBefore, "exp": &c.Expiry, "auth_time": &c.AuthTime}[name] = at
	default:
		var s string
		if json.Unmarshal(value, &s) == nil && len(s) <= maxText {
			c.text[name] = s
		}
	}
	return nil
}

// readTime reads seconds since 1970.
func readTime(value json.RawMessage) (time.Time, bool) {
	var seconds float64
	if json.Unmarshal(value, &seconds) != nil || math.Abs(seconds) > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// merge adds the claims of UserInfo to those of the ID token. Both must be about one person.
func (c *claims) merge(more *claims) error {
	if more.Subject != c.Subject {
		return refuse(kiosk.LoginSubject, "UserInfo is about another person than the ID token")
	}
	for name, value := range more.text {
		if have, ok := c.text[name]; ok && have != value && name != "iss" {
			return refuse(kiosk.LoginSubject, "UserInfo and the ID token contradict each other")
		}
		c.text[name] = value
	}
	return nil
}
