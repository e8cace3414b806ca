package webeid_test

import (
	"crypto"
	"testing"

	"smartkiosk/kiosk/webeid"
)

func TestEveryAlgorithmSignsAndValidates(t *testing.T) {
	root := newAuthority(t, "Root", nil)
	ca := newAuthority(t, "Person CA", root)
	v := &webeid.Validator{Origin: origin, Domains: newDomains(t, root, ca)}
	kinds := map[string]string{"ES256": "p256", "ES384": "p384", "ES512": "p521"}
	for _, algorithm := range []webeid.Algorithm{"ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"} {
		t.Run(string(algorithm), func(t *testing.T) {
			kind := kinds[string(algorithm)]
			if kind == "" {
				kind = "rsa"
			}
			var signer crypto.Signer = key(t, kind, "holder")
			cert := issue(t, person(), signer.Public(), ca)
			token, err := webeid.SignWith(algorithm, signer, cert.Raw, origin, nonce)
			if err != nil {
				t.Fatal(err)
			}
			holder, err := v.Validate(t.Context(), token, nonce, now)
			if err != nil {
				t.Fatal(err)
			}
			if holder.ID != "UN:NO-9578-4050-100001" || holder.Name != "Kari Prøve" || holder.Domain != "buypass-test" {
				t.Errorf("holder is %+v", holder)
			}
		})
	}
}
