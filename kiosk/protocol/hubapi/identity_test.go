package hubapi

import (
	"crypto/x509"
	"net/url"
	"strings"
	"testing"
)

func certificate(t testing.TB, uris ...string) *x509.Certificate {
	var cert x509.Certificate
	for _, s := range uris {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		cert.URIs = append(cert.URIs, u)
	}
	return &cert
}

func TestIdentityOf(t *testing.T) {
	for uri, want := range map[string]Identity{
		"urn:smartkiosk:kiosk:k1":                         {RoleKiosk, "k1"},
		"urn:smartkiosk:consumer:back-office":             {RoleConsumer, "back-office"},
		"urn:smartkiosk:kiosk:" + strings.Repeat("a", 63): {RoleKiosk, strings.Repeat("a", 63)},
		"urn:smartkiosk:consumer:0":                       {RoleConsumer, "0"},
	} {
		got, err := IdentityOf(certificate(t, "https://example.org/other", uri))
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", uri, got, err, want)
		}
		if got.String() != uri {
			t.Errorf("%s: written as %s", uri, got)
		}
	}
}

func TestIdentityOfRefuses(t *testing.T) {
	const unreadable = "cannot read the certificate's identity"
	tests := []struct {
		name string
		uris []string
		want string
	}{
		{"no URI", nil, "names no kiosk, consumer or operator"},
		{"another's URI", []string{"urn:other:kiosk:k1"}, "names no kiosk"},
		{"two", []string{"urn:smartkiosk:kiosk:k1", "urn:smartkiosk:consumer:c"}, "names 2 identities"},
		{"an unknown role", []string{"urn:smartkiosk:director:o"}, unreadable},
		{"no name", []string{"urn:smartkiosk:kiosk"}, unreadable},
		{"an empty name", []string{"urn:smartkiosk:kiosk:"}, unreadable},
		{"a wildcard of NATS", []string{"urn:smartkiosk:kiosk:*"}, unreadable},
		{"a dot", []string{"urn:smartkiosk:kiosk:a.b"}, unreadable},
		{"a slash", []string{"urn:smartkiosk:kiosk:a%2Fb"}, unreadable},
		{"upper case", []string{"urn:smartkiosk:kiosk:K1"}, unreadable},
		{"a hyphen first", []string{"urn:smartkiosk:kiosk:-a"}, unreadable},
		{"a fourth part", []string{"urn:smartkiosk:kiosk:a:b"}, unreadable},
		{"64 letters", []string{"urn:smartkiosk:kiosk:" + strings.Repeat("a", 64)}, unreadable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, err := IdentityOf(certificate(t, tt.uris...))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v; want an error with %q", id, err, tt.want)
			}
		})
	}
}

// Every name that IdentityOf accepts is safe in a NATS subject, a path and a file name.
func FuzzIdentityOf(f *testing.F) {
	f.Add("urn:smartkiosk:kiosk:k1")
	f.Add("urn:smartkiosk:kiosk:../x")
	f.Add("urn:smartkiosk:consumer:a%00b")
	f.Fuzz(func(t *testing.T, uri string) {
		u, err := url.Parse(uri)
		if err != nil {
			return
		}
		id, err := IdentityOf(&x509.Certificate{URIs: []*url.URL{u}})
		if err == nil && strings.ContainsAny(id.Name, "./\\*> \x00:%") {
			t.Errorf("%q gives the name %q", uri, id.Name)
		}
	})
}
