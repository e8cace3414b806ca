package brokertest

import (
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

func (p *Provider) par(w http.ResponseWriter, r *http.Request) {
	if !p.authenticated(r) {
		fail(w, 401, "invalid_client")
		return
	}
	q, code := p.request(r.PostForm)
	if code != "" {
		fail(w, 400, code)
		return
	}
	uri := "urn:ietf:params:oauth:request_uri:" + rand.Text()
	p.pushed[uri] = q
	answer(w, 201, map[string]any{"request_uri": uri, "expires_in": 60})
}

// asked returns the authorization request of a browser.
func (p *Provider) asked(q url.Values) (url.Values, string) {
	if uri := q.Get("request_uri"); uri != "" {
		pushed, ok := p.pushed[uri]
		if !ok {
			return nil, "invalid_request_uri"
		}
		return pushed, ""
	}
	if p.RequirePAR {
		return nil, "invalid_request"
	}
	return p.request(q)
}

var page = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Stand-in for a broker</title></head>
<body><h1>Stand-in for a broker</h1><p>This is not a real login. Choose an invented person.</p>
<form method="post" action="/login?{{.Query}}">
{{range .Persons}}<p><button name="person" value="{{.Key}}">{{.Name}}</button></p>
{{end}}<p><button name="person" value="">Cancel</button></p></form></body></html>
`))

// cardText is a page that reaches the card in the reader of the browser's machine by the
// service that Buypass' own login page uses (device/scproxy), and verifies its PIN.
//
//go:embed card.html
var cardText string

var cardPage = template.Must(template.New("").Parse(cardText))

func (p *Provider) page(w http.ResponseWriter, r *http.Request) {
	if _, code := p.asked(r.URL.Query()); code != "" {
		fail(w, 400, code)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if p.Card != "" {
		_ = cardPage.Execute(w, map[string]any{"Query": template.URL(r.URL.RawQuery), "Person": p.Card})
		return
	}
	_ = page.Execute(w, map[string]any{"Query": template.URL(r.URL.RawQuery), "Persons": p.Persons})
}

func (p *Provider) login(w http.ResponseWriter, r *http.Request) {
	q, code := p.asked(r.URL.Query())
	if code != "" {
		fail(w, 400, code)
		return
	}
	delete(p.pushed, r.URL.Query().Get("request_uri"))
	back := url.Values{"state": {q.Get("state")}, "iss": {p.Issuer}}
	i := slices.IndexFunc(p.Persons, func(x Person) bool { return x.Key == r.PostForm.Get("person") && x.Key != "" })
	if i < 0 {
		back.Set("error", "access_denied")
	} else {
		code := rand.Text()
		p.codes[code] = grant{q, p.Persons[i], p.Now()}
		back.Set("code", code)
	}
	if p.Callback != nil {
		p.Callback(back)
	}
	http.Redirect(w, r, p.RedirectURL+"?"+back.Encode(), http.StatusSeeOther)
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	if !p.authenticated(r) {
		fail(w, 401, "invalid_client")
		return
	}
	g, ok := p.codes[r.PostForm.Get("code")]
	delete(p.codes, r.PostForm.Get("code"))
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	if !ok || r.PostForm.Get("grant_type") != "authorization_code" || r.PostForm.Get("redirect_uri") != p.RedirectURL ||
		base64.RawURLEncoding.EncodeToString(sum[:]) != g.request.Get("code_challenge") {
		fail(w, 400, "invalid_grant")
		return
	}
	access := rand.Text()
	p.access[access] = g
	hash := sha256.Sum256([]byte(access))
	now := p.Now()
	claims := p.identity(g)
	for name, v := range map[string]any{
		"iss": p.Issuer, "aud": p.ClientID, "nonce": g.request.Get("nonce"), "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"auth_time": g.at.Unix(), "acr": g.person.ACR, "amr": g.person.AMR, "at_hash": base64.RawURLEncoding.EncodeToString(hash[:16]),
	} {
		claims[name] = v
	}
	if p.Claims != nil {
		p.Claims(claims)
	}
	raw := p.Sign(claims)
	if p.IDToken != nil {
		raw = p.IDToken(raw)
	}
	if p.Encrypt {
		raw = p.Seal(raw)
	}
	if p.Sealed != nil {
		raw = p.Sealed(raw)
	}
	out := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 60, "id_token": raw}
	if p.Token != nil {
		p.Token(out)
	}
	answer(w, 200, out)
}

// identity returns the claims about the person, each for its scope.
func (p *Provider) identity(g grant) map[string]any {
	claims := map[string]any{"sub": "standin-" + g.person.Key, "name": g.person.Name}
	for _, scope := range strings.Fields(g.request.Get("scope")) {
		switch {
		case scope == "bpid":
			claims["bp_id_sub"] = g.person.BuypassID
		case scope == "bpx509certificate" && g.person.Certificate != "":
			claims["bp_x509certificate"] = g.person.Certificate
		}
	}
	for name, v := range g.person.Extra {
		claims[name] = v
	}
	return claims
}

func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) {
	access, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	g, ok := p.access[access]
	if !ok {
		fail(w, 401, "invalid_token")
		return
	}
	claims := p.identity(g)
	if p.SignUserInfo || p.Encrypt {
		claims["iss"], claims["aud"] = p.Issuer, p.ClientID
	}
	if p.UserInfo != nil {
		p.UserInfo(claims)
	}
	if !p.SignUserInfo && !p.Encrypt {
		answer(w, 200, claims)
		return
	}
	raw := p.Sign(claims)
	if p.Encrypt {
		raw = p.Seal(raw)
	}
	w.Header().Set("Content-Type", "application/jwt")
	_, _ = w.Write([]byte(raw))
}

// Sign signs claims with the provider's key.
func (p *Provider) Sign(claims any) string { return SignWith(p.key, claims) }

// SignWith signs claims with a private key.
func SignWith(k jose.JSONWebKey, claims any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.Algorithm), Key: k}, nil)
	if err != nil {
		panic(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		panic(err)
	}
	return text
}

// Seal encrypts a text to the client's key.
func (p *Provider) Seal(text string) string {
	for _, k := range p.ClientKeys.Keys {
		if k.Use != "enc" {
			continue
		}
		sealer, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.KeyAlgorithm(k.Algorithm), Key: k, KeyID: k.KeyID},
			(&jose.EncrypterOptions{}).WithContentType("JWT"))
		if err != nil {
			panic(err)
		}
		sealed, err := sealer.Encrypt([]byte(text))
		if err != nil {
			panic(err)
		}
		out, err := sealed.CompactSerialize()
		if err != nil {
			panic(err)
		}
		return out
	}
	return text
}
