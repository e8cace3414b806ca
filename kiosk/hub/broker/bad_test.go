package broker_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/broker"
	"smartkiosk/kiosk/hub/broker/brokertest"
)

// bad is one fault of a broker, or of somebody between it and the hub, and the expected
// refusal. words is a part of the error for the log.
type bad struct {
	name   string
	want   kiosk.Reason
	words  string
	change func(s *scene)
}

// claim sets a claim of the ID token; nil deletes it.
func claim(name string, value any) func(*scene) {
	return func(s *scene) {
		s.provider.Claims = func(c map[string]any) { set(c, name, value) }
	}
}

func set(c map[string]any, name string, value any) {
	if c[name] = value; value == nil {
		delete(c, name)
	}
}

// info does the same in UserInfo.
func info(name string, value any) func(*scene) {
	return func(s *scene) {
		s.config.UserInfo = true
		s.provider.UserInfo = func(c map[string]any) { set(c, name, value) }
	}
}

// seconds sets a time of the ID token, relative to now.
func seconds(name string, after time.Duration) func(*scene) {
	return func(s *scene) {
		s.provider.Claims = func(c map[string]any) { c[name] = s.now.Add(after).Unix() }
	}
}

// query changes a parameter of the callback; "" deletes it.
func query(name, value string) func(*scene) {
	return func(s *scene) {
		s.callback = func(q string) string {
			v, _ := url.ParseQuery(q)
			if v.Set(name, value); value == "" {
				v.Del(name)
			}
			return v.Encode()
		}
	}
}

// failing replaces the code by an error.
func failing(code string) func(*scene) {
	return func(s *scene) {
		s.callback = func(q string) string {
			v, _ := url.ParseQuery(q)
			v.Del("code")
			v.Set("error", code)
			v.Set("error_description", "Kari Prøve did something")
			return v.Encode()
		}
	}
}

// at answers a path of the broker with something else.
func at(path string, status int, media, body string) func(*scene) {
	return func(s *scene) {
		s.provider.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != path {
				return false
			}
			w.Header().Set("Content-Type", media)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return true
		}
	}
}

// answers changes the token endpoint's answer.
func answers(name string, value any) func(*scene) {
	return func(s *scene) {
		s.provider.Token = func(a map[string]any) { set(a, name, value) }
	}
}

// signedBy signs the ID token with another key.
func signedBy(k jose.JSONWebKey) func(*scene) {
	return func(s *scene) {
		s.provider.Claims = func(c map[string]any) {
			raw := brokertest.SignWith(k, c)
			s.provider.IDToken = func(string) string { return raw }
		}
	}
}

func unsigned(raw string) string {
	parts := strings.Split(raw, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
}

func person(change func(p *brokertest.Person)) func(*scene) {
	return func(s *scene) { change(&s.provider.Persons[0]) }
}

func with(changes ...func(*scene)) func(*scene) {
	return func(s *scene) {
		for _, c := range changes {
			c(s)
		}
	}
}

func encrypted(s *scene) { s.provider.Encrypt, s.config.Encrypted = true, true }

func certified(numbers ...string) func(*scene) {
	return func(s *scene) { s.provider.Persons[0].Certificate = certificate(s.t, s.now, numbers...) }
}

const jsonMedia = "application/json"

func TestBadAnswers(t *testing.T) {
	rows := []bad{
		// The callback.
		{"state of another login", kiosk.LoginState, "callback's state", query("state", strings.Repeat("A", 43))},
		{"no state", kiosk.LoginState, "no state", query("state", "")},
		{"state twice", kiosk.LoginState, "more than once", func(s *scene) { s.callback = func(q string) string { return q + "&state=x" } }},
		{"code twice", kiosk.LoginState, "code more than once", func(s *scene) { s.callback = func(q string) string { return q + "&code=x" } }},
		{"neither code nor error", kiosk.BrokerAnswer, "neither", query("code", "")},
		{"code of somebody else", kiosk.LoginState, "invalid_grant", query("code", "guessed")},
		{"code used twice", kiosk.LoginState, "invalid_grant", func(s *scene) { s.twice = true }},
		{"issuer of another broker", kiosk.LoginState, "another issuer", query("iss", "https://evil.example")},
		{"issuer missing", kiosk.LoginState, "does not name its issuer", query("iss", "")},
		{"redirect address in the query", kiosk.LoginState, "callback's state", with(query("state", "https://evil.example/"))},
		{"query of 9 kB", kiosk.LoginState, "longer than", query("x", strings.Repeat("x", 9000))},
		{"query that is not one", kiosk.LoginState, "cannot be read", func(s *scene) { s.callback = func(string) string { return "state=%zz" } }},
		{"person gives up", kiosk.LoginCancelled, "access_denied", func(s *scene) { s.person = "" }},
		{"person did not finish", kiosk.LoginCancelled, "login_required", failing("login_required")},
		{"broker overloaded", kiosk.BrokerDown, "temporarily_unavailable", failing("temporarily_unavailable")},
		{"level not possible", kiosk.LoginLevel, "unmet", failing("unmet_authentication_requirements")},
		{"broker refuses the client", kiosk.LoginRefused, "unauthorized_client", failing("unauthorized_client")},
		{"unknown error", kiosk.LoginRefused, "unknown error code", failing("<script>")},
		{"login of another broker", kiosk.LoginState, "begun at broker other", func(s *scene) { s.flow = func(f *broker.Flow) { f.Broker = "other" } }},
		{"PKCE verifier of another login", kiosk.LoginState, "invalid_grant", func(s *scene) { s.flow = func(f *broker.Flow) { f.Verifier = strings.Repeat("v", 43) } }},

		// The ID token.
		{"nonce of another login", kiosk.LoginState, "nonce", claim("nonce", "other")},
		{"no nonce", kiosk.LoginState, "nonce", claim("nonce", nil)},
		{"token of another issuer", kiosk.LoginToken, "another issuer", claim("iss", "https://evil.example")},
		{"token for another client", kiosk.LoginToken, "another client", claim("aud", "other")},
		{"token for several clients", kiosk.LoginToken, "several clients", claim("aud", []string{"smartkiosk", "other"})},
		{"token issued to another client", kiosk.LoginToken, "azp", claim("azp", "other")},
		{"token expired", kiosk.LoginToken, "expired", seconds("exp", -time.Minute)},
		{"token without exp", kiosk.LoginToken, "expired", claim("exp", nil)},
		{"token without iat", kiosk.LoginToken, "when it was issued", claim("iat", nil)},
		{"token from the future", kiosk.LoginToken, "future", seconds("iat", time.Hour)},
		{"token valid in two minutes", kiosk.LoginToken, "future", seconds("nbf", 2*time.Minute)},
		{"token older than the login", kiosk.LoginToken, "older than the login", seconds("iat", -time.Hour)},
		{"old session at the broker", kiosk.LoginToken, "has not logged in", seconds("auth_time", -time.Hour)},
		{"iat as a text", kiosk.LoginToken, "cannot be read", claim("iat", "now")},
		{"iat beyond all years", kiosk.BrokerAnswer, "", claim("iat", 1e18)},
		{"alg none", kiosk.LoginToken, "not signed", func(s *scene) { s.provider.IDToken = unsigned }},
		{"alg HS256 with a public key", kiosk.LoginToken, "not signed", signedBy(jose.JSONWebKey{Key: []byte(strings.Repeat("k", 32)), Algorithm: "HS256"})},
		{"alg that the broker does not announce", kiosk.LoginToken, "not signed", signedBy(rsaKey(t, "r", "sig", "RS256"))},
		{"key of somebody else", kiosk.LoginToken, "not signed by a key", signedBy(signKey("k1"))},
		{"signature changed", kiosk.LoginToken, "", func(s *scene) {
			s.provider.IDToken = func(raw string) string { return raw[:len(raw)-6] + "AAAAAA" }
		}},
		{"not a JWT", kiosk.LoginToken, "not signed", func(s *scene) { s.provider.IDToken = func(string) string { return "x.y.z" } }},
		{"no ID token", kiosk.BrokerAnswer, "without an ID token", answers("id_token", nil)},
		{"ID token is a number", kiosk.BrokerAnswer, "without an ID token", answers("id_token", 7)},
		{"access token exchanged", kiosk.LoginToken, "at_hash", answers("access_token", "other")},
		{"no access token", kiosk.BrokerAnswer, "cannot be read", answers("access_token", nil)},
		{"token type", kiosk.BrokerAnswer, "bearer", answers("token_type", "mac")},
		{"sub empty", kiosk.LoginSubject, "sub is empty", claim("sub", "")},
		{"sub missing", kiosk.LoginSubject, "sub is empty", claim("sub", nil)},
		{"sub too long", kiosk.LoginSubject, "longer", claim("sub", strings.Repeat("x", 256))},
		{"sub is a number", kiosk.LoginToken, "", claim("sub", 7)},
		{"acr too low", kiosk.LoginLevel, "acr", with(claim("acr", "low"), func(s *scene) { s.config.ACRValues = []string{"high"} })},
		{"acr missing", kiosk.LoginLevel, "acr", with(claim("acr", nil), func(s *scene) { s.config.ACRValues = []string{"high"} })},
		{"amr not as asked", kiosk.LoginLevel, "amr", with(claim("amr", []string{"pwd"}), func(s *scene) { s.config.AMRValues = []string{"sc"} })},
		{"amr missing", kiosk.LoginLevel, "amr", with(claim("amr", nil), func(s *scene) { s.config.AMRValues = []string{"sc"} })},
		{"amr is an object", kiosk.BrokerAnswer, "", claim("amr", map[string]any{"sc": true})},
		{"201 claims", kiosk.BrokerAnswer, "more than", func(s *scene) {
			s.provider.Claims = func(c map[string]any) {
				for i := range 201 {
					c[fmt.Sprint("x", i)] = i
				}
			}
		}},

		// Encryption.
		{"not encrypted", kiosk.LoginToken, "not encrypted", func(s *scene) { s.config.Encrypted = true }},
		{"encrypted to another key", kiosk.LoginToken, "does not have", with(encrypted, func(s *scene) {
			other := openKey("e1")
			s.provider.ClientKeys.Keys[1] = other.Public()
		})},
		{"ciphertext changed", kiosk.LoginToken, "does not have", with(encrypted, func(s *scene) {
			s.provider.Sealed = func(raw string) string { return raw[:len(raw)-6] + "AAAAAA" }
		})},
		{"encrypted with RSA1_5", kiosk.LoginToken, "not accepted", with(encrypted, func(s *scene) {
			s.provider.Sealed = func(raw string) string {
				return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RSA1_5","enc":"A256GCM"}`)) + raw[strings.Index(raw, "."):]
			}
		})},
		{"encrypted, not signed", kiosk.LoginToken, "not signed", with(encrypted, func(s *scene) { s.provider.IDToken = unsigned })},

		// UserInfo.
		{"UserInfo about another person", kiosk.LoginSubject, "another person", info("sub", "other")},
		{"UserInfo without sub", kiosk.LoginSubject, "another person", info("sub", nil)},
		{"UserInfo contradicts", kiosk.LoginSubject, "contradict", info("bp_id_sub", "900000002")},
		{"UserInfo of another issuer", kiosk.LoginToken, "another issuer", with(info("iss", "https://evil.example"), func(s *scene) { s.provider.SignUserInfo = true })},
		{"UserInfo for another client", kiosk.LoginToken, "another client", with(info("aud", "other"), func(s *scene) { s.provider.SignUserInfo = true })},
		{"UserInfo expired", kiosk.LoginToken, "expired", with(info("exp", 1), func(s *scene) { s.provider.SignUserInfo = true })},
		{"UserInfo not encrypted", kiosk.LoginToken, "UserInfo is not encrypted", with(encrypted, func(s *scene) { s.config.UserInfo = true },
			at("/userinfo", 200, jsonMedia, `{"sub":"standin-kari"}`))},
		{"UserInfo is a list", kiosk.BrokerAnswer, "not a JSON object", with(func(s *scene) { s.config.UserInfo = true }, at("/userinfo", 200, jsonMedia, `[]`))},
		{"UserInfo refuses the token", kiosk.BrokerAnswer, "401", with(func(s *scene) { s.config.UserInfo = true }, at("/userinfo", 401, jsonMedia, `{}`))},
		{"UserInfo of 1 MB", kiosk.BrokerAnswer, "more than", with(func(s *scene) { s.config.UserInfo = true }, at("/userinfo", 200, jsonMedia, `{"sub":"`+strings.Repeat("x", 1<<20)+`"}`))},

		// Who it is.
		{"no identifier", kiosk.LoginSubject, "no claim", claim("bp_id_sub", nil)},
		{"identifier is a number", kiosk.LoginSubject, "no claim", claim("bp_id_sub", 900000001)},
		{"identifier of another register", kiosk.LoginSubject, "not a Buypass number", claim("bp_id_sub", "PNONO-900000001")},
		{"identifier with a letter", kiosk.LoginSubject, "not a Buypass number", claim("bp_id_sub", "90000000l")},
		{"national identity number as identifier", kiosk.LoginSubject, "national identity number", claim("bp_id_sub", "15507600333")},
		{"certificate of another person", kiosk.LoginSubject, "another person's", certified("UN:NO-9578-4050-900000002")},
		{"certificate with a bare number", kiosk.LoginSubject, "not a Buypass number", certified("900000001")},
		{"certificate with two numbers", kiosk.LoginSubject, "2 serialNumbers", certified("UN:NO-9578-4050-900000001", "UN:NO-9578-4050-900000002")},
		{"certificate without a number", kiosk.LoginSubject, "0 serialNumbers", certified()},
		{"certificate expired", kiosk.LoginSubject, "not valid now", func(s *scene) {
			s.provider.Persons[0].Certificate = certificate(s.t, s.now.Add(-24*time.Hour), "UN:NO-9578-4050-900000001")
		}},
		{"certificate damaged", kiosk.LoginSubject, "does not hold a certificate", person(func(p *brokertest.Person) {
			p.Certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
		})},
		{"certificate is no certificate", kiosk.LoginSubject, "neither PEM nor base64", person(func(p *brokertest.Person) { p.Certificate = "see attachment" })},

		// The broker's services.
		{"keys of 10 MB", kiosk.BrokerAnswer, "more than", at("/jwks", 200, jsonMedia, `{"keys":["`+strings.Repeat("x", 10<<20)+`"]}`)},
		{"keys are HTML", kiosk.BrokerAnswer, "HTML", at("/jwks", 200, "text/html; charset=utf-8", "<html>")},
		{"keys are no JSON", kiosk.BrokerAnswer, "keys cannot be read", at("/jwks", 200, jsonMedia, "nothing")},
		{"keys are gone", kiosk.BrokerAnswer, "404", at("/jwks", 404, jsonMedia, "{}")},
		{"keys without a key", kiosk.LoginToken, "not signed by a key", at("/jwks", 200, jsonMedia, `{"keys":[]}`)},
		{"token endpoint answers HTML", kiosk.BrokerAnswer, "HTML", at("/token", 200, "text/html", "<html>")},
		{"token endpoint is down", kiosk.BrokerDown, "503", at("/token", 503, "text/html", "<html>")},
		{"token endpoint redirects", kiosk.BrokerAnswer, "redirect", at("/token", 307, jsonMedia, "{}")},
		{"token endpoint answers a list", kiosk.BrokerAnswer, "cannot be read", at("/token", 200, jsonMedia, "[]")},
		{"token endpoint answers 1 MB", kiosk.BrokerAnswer, "more than", at("/token", 200, jsonMedia, strings.Repeat(" ", 1<<20))},
		{"token endpoint refuses the client", kiosk.LoginRefused, "401 invalid_client", at("/token", 401, jsonMedia, `{"error":"invalid_client","error_description":"Kari Prøve"}`)},
		{"token endpoint with an unknown error", kiosk.LoginRefused, "unknown error code", at("/token", 400, jsonMedia, `{"error":"Kari Prøve"}`)},
		{"pushed request refused", kiosk.LoginRefused, "invalid_redirect_uri", at("/par", 400, jsonMedia, `{"error":"invalid_redirect_uri"}`)},
		{"pushed request without request_uri", kiosk.BrokerAnswer, "request_uri", at("/par", 201, jsonMedia, `{}`)},
		{"discovery of another issuer", kiosk.BrokerAnswer, "another issuer", func(s *scene) { s.provider.Discovery = func(d map[string]any) { d["issuer"] = "https://evil.example" } }},
		{"discovery is HTML", kiosk.BrokerAnswer, "HTML", at("/.well-known/openid-configuration", 200, "text/html", "<html>")},
		{"discovery is gone", kiosk.BrokerAnswer, "404", at("/.well-known/openid-configuration", 404, jsonMedia, "{}")},
		{"token endpoint without TLS", kiosk.BrokerAnswer, "not an https URL", func(s *scene) {
			s.provider.Discovery = func(d map[string]any) { d["token_endpoint"] = "http://broker.example/token" }
		}},
		{"broker cannot be reached", kiosk.BrokerDown, "cannot reach", func(s *scene) { s.trip = func(http.RoundTripper) http.RoundTripper { return unreachable{} } }},
		{"broker does not answer in time", kiosk.BrokerDown, "cannot reach", func(s *scene) {
			ctx, cancel := context.WithCancel(s.context)
			s.context = ctx
			s.trip = func(base http.RoundTripper) http.RoundTripper {
				return silent{base, func(r *http.Request) bool { return r.URL.Path == "/token" }, cancel}
			}
		}},
		{"pairwise sub as identifier", kiosk.LoginRefused, "another sub", func(s *scene) {
			s.config.Preset, s.config.SubjectClaim = "generic", "sub"
			s.provider.Discovery = func(d map[string]any) { d["subject_types_supported"] = []string{"public", "pairwise"} }
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := newScene(t)
			row.change(s)
			got, err := s.run()
			refusal, ok := errors.AsType[*broker.Refusal](err)
			if !ok {
				t.Fatalf("got %v, %v; want a refusal for %s", got.Holder, err, row.want)
			}
			if refusal.Reason != row.want || !strings.Contains(err.Error(), row.words) {
				t.Errorf("refused for %v; want %s: … %s …", err, row.want, row.words)
			}
			if got.Holder != (kiosk.Holder{}) {
				t.Errorf("refused, yet names %+v", got.Holder)
			}
			for _, leak := range []string{"Kari", "900000001", "15507600333", "eyJ", s.provider.Secret + "=="} {
				if strings.Contains(err.Error(), leak) {
					t.Errorf("the error holds %q: %v", leak, err)
				}
			}
		})
	}
	if len(rows) < 40 {
		t.Errorf("%d rows", len(rows))
	}
}

// silent is a network on which some requests are never answered. began is called when
// one begins.
type silent struct {
	http.RoundTripper
	is    func(*http.Request) bool
	began func()
}

func (s silent) RoundTrip(r *http.Request) (*http.Response, error) {
	if !s.is(r) {
		return s.RoundTripper.RoundTrip(r)
	}
	s.began()
	<-r.Context().Done()
	return nil, r.Context().Err()
}

type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection refused")
}
