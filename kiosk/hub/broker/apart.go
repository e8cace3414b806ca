package broker

import (
	"crypto"
	"encoding/base64"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

func thumbprint(k jose.JSONWebKey) (string, error) {
	public := k.Public()
	sum, err := public.Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), err
}

// checkApart refuses a sandbox and a production configuration that share an issuer, a key,
// a secret or a merchant certificate. Somebody with the sandbox credentials could then use production.
func checkApart(a, b *Client) error {
	if a.config.Environment == b.config.Environment {
		return nil
	}
	x, y := a.credentials.Load(), b.credentials.Load()
	what := ""
	switch {
	case a.config.Issuer != "" && a.config.Issuer == b.config.Issuer:
		what = "the issuer " + a.config.Issuer
	case a.config.preset.REST && b.config.preset.REST && a.config.ClientID == b.config.ClientID:
		what = "the client " + a.config.ClientID // both environments have the same address
	case x.secret != "" && x.secret == y.secret:
		what = "a client secret"
	case overlap(x.thumbs, y.thumbs):
		what = "a key"
	}
	if what == "" {
		return nil
	}
	return fmt.Errorf("brokers %s (%s) and %s (%s) share %s: sandbox and production must have their own",
		a.config.Name, a.config.Environment, b.config.Name, b.config.Environment, what)
}

func overlap(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}
