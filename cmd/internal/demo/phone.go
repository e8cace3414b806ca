package demo

import (
	"crypto/tls"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/terminal"
)

// linkPanel is a panel that remembers the link that it shows.
type linkPanel struct {
	terminal.Panel

	mu      sync.Mutex
	link    string
	changed chan struct{} // closed when link changes
}

func newLinkPanel(p terminal.Panel) *linkPanel {
	return &linkPanel{Panel: p, changed: make(chan struct{})}
}

// Show implements terminal.Panel.
func (p *linkPanel) Show(s kiosk.Screen) {
	p.mu.Lock()
	link := p.link
	switch s.ID {
	case kiosk.ScreenLink:
		link = s.Page
	case kiosk.ScreenWelcome, kiosk.ScreenReading, kiosk.ScreenOutOfService:
		link = ""
	}
	if link != p.link {
		p.link = link
		close(p.changed)
		p.changed = make(chan struct{})
	}
	p.mu.Unlock()
	p.Panel.Show(s)
}

// Mark shows a mark for technicians, if the panel can.
func (p *linkPanel) Mark(text string) {
	if m, ok := p.Panel.(interface{ Mark(string) }); ok {
		m.Mark(text)
	}
}

// PhonePage returns the port and the path on loopback of the page that a phone opens for
// the login in progress; "" if no login is in progress. The channel is closed when that changes.
func (d *Demo) PhonePage() (page string, changed <-chan struct{}) {
	d.links.mu.Lock()
	defer d.links.mu.Unlock()
	if d.links.link == "" {
		return "", d.links.changed
	}
	_, port, _ := strings.Cut(d.phones.plain.Addr().String(), ":")
	return ":" + port + d.links.link[strings.LastIndex(d.links.link, "/"):], d.links.changed
}

// SetBroker switches the stand-in for the broker up, down or slow.
func (d *Demo) SetBroker(state string) error { return d.phones.standIn.set(state) }

// phone is the browser of a person with a phone, for scripts. It knows just enough of the
// pages.
type phone struct {
	http *http.Client
	at   *url.URL
	page string
	link string // of the login
}

func (p *phones) newPhone() *phone {
	jar, _ := cookiejar.New(nil) // never fails
	return &phone{http: &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.trust}, DisableKeepAlives: true}}}
}

func (p *phone) take(resp *http.Response, err error) error {
	if err != nil {
		return fmt.Errorf("the phone cannot open the page: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	p.at, p.page = resp.Request.URL, html.UnescapeString(string(text))
	return err
}

var (
	formToken   = regexp.MustCompile(`name="token" value="([^"]+)"`)
	formAction  = regexp.MustCompile(`<form method="post" action="([^"]+)"`)
	shownDigits = regexp.MustCompile(`<span>([0-9])</span>`)
	heading     = regexp.MustCompile(`<h1>([^<]*)</h1>`)
)

// press sends the form of the page.
func (p *phone) press(values url.Values) error {
	action := formAction.FindStringSubmatch(p.page)
	if action == nil {
		return fmt.Errorf("the phone's page has no button: %s", p.heading())
	}
	if token := formToken.FindStringSubmatch(p.page); token != nil {
		values.Set("token", token[1])
	}
	to, err := p.at.Parse(action[1])
	if err != nil {
		return err
	}
	return p.take(p.http.PostForm(to.String(), values))
}

func (p *phone) heading() string {
	if m := heading.FindStringSubmatch(p.page); m != nil {
		return m[1]
	}
	return "no heading"
}

// OpenPhone opens the link that the kiosk shows, with a new phone, and presses the button
// of its page.
func (d *Demo) OpenPhone() error {
	d.links.mu.Lock()
	link := d.links.link
	d.links.mu.Unlock()
	if link == "" {
		return errors.New("the kiosk shows no link")
	}
	d.phone = d.phones.newPhone()
	d.phone.link = link
	if err := d.phone.take(d.phone.http.Get(link)); err != nil {
		return err
	}
	return d.phone.press(url.Values{"do": {"go"}, "language": {"en"}})
}

// LogInOnPhone chooses a person at the stand-in; "" cancels there.
func (d *Demo) LogInOnPhone(person string) error {
	if d.phone == nil {
		return errors.New("no phone has opened the link")
	}
	return d.phone.press(url.Values{"person": {person}})
}

// PhoneDigits returns the digits that the phone shows.
func (d *Demo) PhoneDigits() (string, error) {
	if d.phone == nil {
		return "", errors.New("no phone has opened the link")
	}
	digits := ""
	for _, m := range shownDigits.FindAllStringSubmatch(d.phone.page, -1) {
		digits += m[1]
	}
	if digits == "" {
		return "", fmt.Errorf("the phone shows no digits: %s", d.phone.heading())
	}
	return digits, nil
}

// PhoneShows opens the login's page on the phone again, and returns its heading.
func (d *Demo) PhoneShows() (string, error) {
	if d.phone == nil {
		return "", errors.New("no phone has opened the link")
	}
	err := d.phone.take(d.phone.http.Get(d.phone.link))
	return d.phone.heading(), err
}
