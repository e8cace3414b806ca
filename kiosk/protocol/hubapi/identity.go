package hubapi

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Role says what the owner of a client certificate may do.
type Role string

const (
	RoleKiosk    Role = "kiosk"    // requests challenges and verdicts, sends events
	RoleConsumer Role = "consumer" // pulls the feed
	RoleOperator Role = "operator" // watches the hub's health
)

// Identity identifies a client of the hub. It is the URI subject alternative name of the
// client's certificate (RFC 5280 §4.2.1.6), urn:smartkiosk:<role>:<name>.
type Identity struct {
	Role Role
	Name string // see ValidName
}

const urnPrefix = "urn:smartkiosk:"

// ValidName reports whether a client may have this name: 1 to 63 lower-case
// letters, digits and hyphens, without a hyphen at either end. These are DNS labels
// (RFC 1035 §2.3.1), so a name can be used unchanged in a URI, a NATS subject and a file
// name.
func ValidName(name string) bool {
	if name == "" || len(name) > 63 || name[0] == '-' || name[len(name)-1] == '-' {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// URI returns the identity in the form that certificates contain.
func (id Identity) URI() *url.URL {
	return &url.URL{Scheme: "urn", Opaque: "smartkiosk:" + string(id.Role) + ":" + id.Name}
}

func (id Identity) String() string { return id.URI().String() }

// IdentityOf reads the identity from a client's certificate. It returns an error if the
// certificate has no identity or several, or if the role is unknown or the name invalid.
func IdentityOf(cert *x509.Certificate) (Identity, error) {
	var found []Identity
	for _, uri := range cert.URIs {
		rest, ok := strings.CutPrefix(uri.String(), urnPrefix)
		if !ok {
			continue
		}
		role, name, _ := strings.Cut(rest, ":")
		id := Identity{Role(role), name}
		if !slices.Contains([]Role{RoleKiosk, RoleConsumer, RoleOperator}, id.Role) || !ValidName(name) {
			return Identity{}, fmt.Errorf("cannot read the certificate's identity %q", uri)
		}
		found = append(found, id)
	}
	switch len(found) {
	case 0:
		return Identity{}, errors.New("the certificate names no kiosk, consumer or operator")
	case 1:
		return found[0], nil
	}
	return Identity{}, fmt.Errorf("the certificate names %d identities", len(found))
}
