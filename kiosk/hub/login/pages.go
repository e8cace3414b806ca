package login

import (
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/broker"
)

//go:embed page.html
var pageText string

//go:embed page.css
var style string

var page = template.Must(template.New("").Parse(pageText))

// styleHash allows the style in the Content-Security-Policy.
var styleHash = func() string {
	sum := sha256.Sum256([]byte(style))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

// cookie is the name of the cookie that binds a phone. The prefix keeps other hosts and
// connections without TLS from setting it (RFC 6265bis §4.1.3.2).
const cookie = "__Host-phone"

// secretBytes is the length of the cookie's secret.
const secretBytes = 32

// maxForm is the maximum size of a form in bytes.
const maxForm = 4 << 10

var codeForm = regexp.MustCompile(`^[` + letters + `]{` + strconv.Itoa(codeLength) + `}$`)

// content is what a page shows.
type content struct {
	Lang      string
	Heading   string
	Lines     []string
	Digits    []string
	Test      string
	Form      *form
	Ask       *ask
	Languages []language
	Style     template.CSS
	refresh   bool
	status    int
}

type (
	form     struct{ Action, Token, Go, Cancel string }
	ask      struct{ Label, Go string }
	language struct{ Tag, Name string }
)

// Pages returns the handler of the pages for phones. They need no scripts. No page says
// more about a person than the four digits.
func (s *Service) Pages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.start)
	mux.HandleFunc("GET "+broker.CallbackPath, s.callbackPage)
	mux.HandleFunc("GET /{code}", s.show)
	mux.HandleFunc("POST /{code}", s.submit)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src "+styleHash+"; base-uri 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Strict-Transport-Security", "max-age=31536000")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		mux.ServeHTTP(w, r)
	})
}

// start asks for the code of a panel that cannot show a QR code.
func (s *Service) start(w http.ResponseWriter, r *http.Request) {
	if code := strings.ToUpper(strings.TrimSpace(r.URL.Query().Get("code"))); codeForm.MatchString(code) {
		http.Redirect(w, r, "/"+code, http.StatusSeeOther)
		return
	}
	lang, t := languageOf(r, "")
	s.write(w, content{Lang: lang, Heading: t.Code, Ask: &ask{t.Code, t.CodeGo}})
}

// show shows how a login is. It changes nothing, because programs open links too, for
// example to show a preview.
func (s *Service) show(w http.ResponseWriter, r *http.Request) {
	code := strings.ToUpper(r.PathValue("code"))
	record, err := Record{}, errUnknown
	if codeForm.MatchString(code) {
		record, err = s.byCode(r.Context(), code)
	}
	secret := s.phone(w, r, err == nil && record.State == Waiting)
	if err == nil && record.Phone != nil && !record.is(secret) {
		err = errOtherPhone
	}
	s.describe(w, r, record, secret, err)
}

// phone returns the cookie's secret. With set it gives a phone without one a cookie.
func (s *Service) phone(w http.ResponseWriter, r *http.Request, set bool) (secret string) {
	if c, err := r.Cookie(cookie); err == nil && len(c.Value) == base64.RawURLEncoding.EncodedLen(secretBytes) {
		return c.Value
	}
	if !set {
		return ""
	}
	b := make([]byte, secretBytes)
	if _, err := io.ReadFull(s.Rand, b); err != nil {
		return ""
	}
	secret = base64.RawURLEncoding.EncodeToString(b)
	http.SetCookie(w, &http.Cookie{
		Name: cookie, Value: secret, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		MaxAge: int(Memory.Seconds()),
	})
	return secret
}

// token returns the form's token, which another site cannot know.
func token(secret, code string) string {
	sum := sha256.Sum256([]byte("form " + code + " " + secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// submit carries out a button.
func (s *Service) submit(w http.ResponseWriter, r *http.Request) {
	code := strings.ToUpper(r.PathValue("code"))
	secret := s.phone(w, r, false)
	given := r.PostFormValue("token")
	record, err := Record{}, errUnknown
	if codeForm.MatchString(code) {
		record, err = s.byCode(r.Context(), code)
	}
	if err == nil && (secret == "" || subtle.ConstantTimeCompare([]byte(given), []byte(token(secret, code))) != 1) {
		err = errForeign
	}
	if err != nil {
		s.describe(w, r, record, secret, err)
		return
	}
	address := ""
	lang, _ := languageOf(r, r.PostForm.Get("language"))
	if r.PostForm.Get("do") == "cancel" {
		record, err = s.giveUp(r.Context(), record.ID, secret)
	} else {
		address, record, err = s.open(r.Context(), record.ID, secret, lang)
	}
	switch {
	case err != nil:
		s.describe(w, r, record, secret, err)
	case address != "":
		http.Redirect(w, r, address, http.StatusSeeOther)
	default:
		http.Redirect(w, r, "/"+code+"?language="+lang, http.StatusSeeOther)
	}
}

// callbackPage takes the broker's answer. It then goes to the login's page, so that a
// reload sends no answer again.
func (s *Service) callbackPage(w http.ResponseWriter, r *http.Request) {
	secret := s.phone(w, r, false)
	record, err := Record{}, errForeign
	if secret != "" {
		record, err = s.byPhone(r.Context(), secret)
	}
	if err == nil {
		record, err = s.callback(r.Context(), record.ID, secret, r.URL.RawQuery)
	}
	if err != nil {
		s.describe(w, r, record, secret, err)
		return
	}
	http.Redirect(w, r, "/"+record.Code, http.StatusSeeOther)
}

// describe writes the page of a login, or of an error.
func (s *Service) describe(w http.ResponseWriter, r *http.Request, record Record, secret string, err error) {
	lang, t := languageOf(r, record.Language)
	c := content{Lang: lang, Heading: t.at(s.Brokers.Place(record.Kiosk)), status: http.StatusOK}
	if record.Environment == broker.Sandbox {
		c.Test = t.Test
	}
	say := func(status int, text string) { c.status, c.Heading, c.Lines, c.Test = status, text, nil, "" }
	button := func(text string) {
		c.Form = &form{"/" + record.Code, token(secret, record.Code), text, t.Cancel}
	}
	switch {
	case errors.Is(err, errUnknown):
		say(http.StatusNotFound, t.Unknown)
	case errors.Is(err, errOtherPhone):
		say(http.StatusForbidden, t.OtherPhone)
	case errors.Is(err, errForeign):
		say(http.StatusForbidden, t.Foreign)
	case err != nil:
		s.Log.Error("a page for a phone failed", "kiosk", record.Kiosk, "err", err)
		say(http.StatusServiceUnavailable, t.Fault)
	case record.State == Waiting:
		c.Lines = []string{t.Purpose, t.Here}
		button(t.Go)
	case record.State == Opened:
		c.Lines = []string{t.Here}
		button(t.Again)
	case record.State == Digits:
		c.Heading, c.Digits, c.Lines, c.refresh = t.Digits, strings.Split(record.Digits, ""), []string{t.DigitsHelp}, true
	case record.State == Ended:
		c.Heading = t.ended(record.Outcome, record.Reason)
		if record.Outcome != kiosk.Granted {
			c.Test = ""
		}
	default:
		c.Heading, c.refresh = t.Busy, true
	}
	s.write(w, c)
}

func (s *Service) write(w http.ResponseWriter, c content) {
	for _, tag := range Languages {
		c.Languages = append(c.Languages, language{tag, catalogue()[tag].Name})
	}
	c.Style = template.CSS(style)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if c.refresh {
		w.Header().Set("Refresh", "2")
	}
	if c.status != 0 {
		w.WriteHeader(c.status)
	}
	_ = page.Execute(w, c) // the phone is gone
}

// languageOf returns the language that the phone asks for: by a link of the page, else the
// login's, else the browser's.
func languageOf(r *http.Request, otherwise string) (tag string, t texts) {
	for _, tag := range []string{r.URL.Query().Get("language"), otherwise} {
		if slices.Contains(Languages, tag) {
			return tag, catalogue()[tag]
		}
	}
	for wish := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(wish), ";")
		tag, _, _ = strings.Cut(tag, "-")
		if tag == "no" {
			tag = "nb"
		}
		if slices.Contains(Languages, tag) {
			return tag, catalogue()[tag]
		}
	}
	return Languages[0], catalogue()[Languages[0]]
}
