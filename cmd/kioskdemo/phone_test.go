package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"smartkiosk/cmd/internal/daemon"
	"smartkiosk/cmd/internal/demo"
	"smartkiosk/cmd/internal/demo/page"
	"smartkiosk/cmd/internal/demo/page/browsertest"
	"smartkiosk/device/panel"
	"smartkiosk/kiosk/screen"
)

// openDemo serves a demo's page until the test ends.
func openDemo(t *testing.T) (d *demo.Demo, url string) {
	t.Helper()
	texts, err := screen.Load()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	p := panel.New()
	d, err = demo.Open(t.Context(), filepath.Join(t.TempDir(), "demo"), demo.Loopback, demoOptions{}.slot(log), daemon.WebPanel{Panel: p, Texts: texts}, texts, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended, served := make(chan error, 2), make(chan string, 1)
	go func() { ended <- d.Run(ctx, "test") }()
	go func() {
		ended <- daemon.ServePage(ctx, "127.0.0.1:0", nil, page.Handler(d, p), log, func(ctx context.Context, url string) error {
			served <- url
			<-ctx.Done()
			return nil
		})
	}()
	t.Cleanup(func() {
		stop()
		for range 2 {
			if err := <-ended; err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	select {
	case url = <-served:
	case err := <-ended:
		t.Fatal("the demo does not serve its page: ", err)
	}
	return d, url
}

// keep saves a picture for a person, if SCREENSHOTS names a folder.
func keep(t *testing.T, tab context.Context, name string) {
	t.Helper()
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		browsertest.Do(t, tab, browsertest.Screenshot(filepath.Join(dir, name+".png")))
	}
}

// TestDemoPhone logs in with the phone that the demo's page shows next to the kiosk.
func TestDemoPhone(t *testing.T) {
	_, url := openDemo(t)
	tab := browsertest.Start(t)
	browsertest.Do(t, tab, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(url))
	browsertest.Until(t, tab, screenIs("welcome"))
	browsertest.Until(t, tab, `document.querySelector(".kp-text").innerText.includes("1")`) // the policy has come
	keep(t, tab, "phone-welcome")
	browsertest.Do(t, tab, chromedp.KeyEvent("1"))
	browsertest.Until(t, tab, screenIs("phone-link"))
	browsertest.Until(t, tab, `document.querySelector(".kp-qr") !== null && document.querySelector(".kp-corner").innerText === "TEST"`)
	keep(t, tab, "phone-link")
	browsertest.Do(t, tab, chromedp.Click(".scan"))

	glass := func(selector string) string { return onGlass(t, tab, selector) }
	glass("button.go")
	keep(t, tab, "phone-page")
	clickGlass(t, tab, "button.go")
	browsertest.Until(t, tab, screenIs("phone-login"))
	glass(`button[value="solveig"]`)
	keep(t, tab, "phone-login")
	clickGlass(t, tab, `button[value="solveig"]`)
	browsertest.Until(t, tab, screenIs("phone-digits"))
	digits := glass(".digits")
	keep(t, tab, "phone-digits")
	browsertest.Do(t, tab, chromedp.Click(".kp-display"), chromedp.KeyEvent(strings.Join(strings.Fields(digits), "")+kb.Enter))
	browsertest.Until(t, tab, screenIs("granted"))
	browsertest.Until(t, tab, `document.querySelector(".kp-heading").innerText === "TEST"`)
	keep(t, tab, "phone-granted")
	browsertest.Until(t, tab, `document.querySelector(".feed").innerText.includes("granted") && document.querySelector(".feed").innerText.includes("test")`)
	glass("main:not(:has(form, .digits)) h1")
	keep(t, tab, "phone-done")
}

// onGlass returns the text of an element on the phone that the demo's page shows. The
// phone may go from page to page meanwhile, so it looks again.
func onGlass(t *testing.T, tab context.Context, selector string) (text string) {
	t.Helper()
	eachTry(t, tab, func(ctx context.Context, glass chromedp.QueryOption) (err error) {
		text, err = chromedp.Run(ctx, chromedp.Text(chromedp.CSS(selector), glass))
		return err
	})
	return text
}

func clickGlass(t *testing.T, tab context.Context, selector string) {
	t.Helper()
	eachTry(t, tab, func(ctx context.Context, glass chromedp.QueryOption) error {
		return chromedp.Do(ctx, chromedp.Click(chromedp.CSS(selector), glass))
	})
}

func eachTry(t *testing.T, tab context.Context, try func(context.Context, chromedp.QueryOption) error) {
	t.Helper()
	var err error
	for tab.Err() == nil {
		ctx, cancel := context.WithTimeout(tab, 3*time.Second)
		frames, e := chromedp.Run(ctx, chromedp.Nodes(chromedp.CSS("iframe")))
		if err = e; err == nil {
			err = try(ctx, chromedp.FromNode(frames[0]))
		}
		cancel()
		if err == nil {
			return
		}
	}
	t.Fatal(err)
}

// flow is a login by phone in a browser: the kiosk's page in one tab, the phone in another.
type flow struct {
	*testing.T
	demo  *demo.Demo
	kiosk context.Context
	phone context.Context
}

func (f *flow) kioskShows(id string) {
	f.Helper()
	browsertest.Until(f, f.kiosk, screenIs(id))
}

func (f *flow) keys(keys string) {
	f.Helper()
	browsertest.Do(f, f.kiosk, chromedp.KeyEvent(keys))
}

// link waits until the kiosk shows a link, and returns it as the demo's phone opens it.
func (f *flow) link() string {
	f.Helper()
	f.kioskShows("phone-link")
	page, _ := f.demo.PhonePage()
	return "http://127.0.0.1" + page + "?language=en"
}

// begin begins a login and opens its page on the phone.
func (f *flow) begin() string {
	f.Helper()
	f.keys("1")
	link := f.link()
	browsertest.Do(f, f.phone, chromedp.Navigate(link))
	return link
}

// press presses a button of the page in a tab, when it is there.
func (f *flow) press(tab context.Context, button string) {
	f.Helper()
	browsertest.Do(f, tab, chromedp.WaitVisible(chromedp.CSS(button)), chromedp.Click(chromedp.CSS(button)))
}

// logIn goes on from the first page of the phone until it shows the digits.
func (f *flow) logIn() {
	f.Helper()
	f.press(f.phone, "button.go")
	f.press(f.phone, `button[value="solveig"]`)
	f.kioskShows("phone-digits")
}

// shows waits for words on the page in a tab, which may load itself again meanwhile.
func (f *flow) shows(tab context.Context, words string) {
	f.Helper()
	is := fmt.Sprintf("document.body.innerText.includes(%q)", words)
	var err error
	for end := time.Now().Add(browsertest.Limit); time.Now().Before(end) && tab.Err() == nil; {
		if err = chromedp.Do(tab, chromedp.Poll[chromedp.Void](is, chromedp.WithPollingTimeout(time.Second))); err == nil {
			return
		}
	}
	text, _ := chromedp.Run(tab, chromedp.Evaluate[string]("document.body.innerText")) // for the message
	f.Fatalf("waited for %q: %v; the page reads:\n%s", words, err, text)
}

func (f *flow) digits() string {
	f.Helper()
	f.shows(f.phone, "Type these digits")
	return strings.Join(strings.Fields(browsertest.Get(f, f.phone, chromedp.Text(chromedp.CSS(".digits")))), "")
}

// wrongDigits returns four digits other than these.
func wrongDigits(digits string) string {
	if digits == "0000" {
		return "0001"
	}
	return "0000"
}

// TestPhoneAndKiosk plays the ways in which a login by phone ends. Each has an end on both
// screens.
func TestPhoneAndKiosk(t *testing.T) {
	d, url := openDemo(t)
	kioskTab := browsertest.Start(t)
	phoneTab, closePhone := chromedp.NewContext(kioskTab)
	defer closePhone()
	browsertest.Do(t, kioskTab, chromedp.Navigate(url))
	browsertest.Until(t, kioskTab, screenIs("welcome"))
	browsertest.Until(t, kioskTab, `document.querySelector(".kp-text").innerText.includes("1")`)
	for _, tt := range []struct {
		name string
		play func(f *flow)
	}{
		{"granted after a wrong entry", func(f *flow) {
			f.begin()
			f.logIn()
			digits := f.digits()
			f.keys(wrongDigits(digits) + kb.Enter)
			browsertest.Until(f, f.kiosk, `document.querySelector(".kp-display").dataset.tone === "bad"`)
			keep(f.T, f.kiosk, "kiosk-wrong-digits")
			f.keys(digits + kb.Enter)
			f.kioskShows("granted")
			f.shows(f.phone, "Done.")
		}},
		{"wrong digits", func(f *flow) {
			f.begin()
			f.logIn()
			wrong := wrongDigits(f.digits())
			for range 3 {
				f.kioskShows("phone-digits")
				browsertest.Until(f, f.kiosk, `document.querySelectorAll(".kp-on").length === 0`)
				f.keys(wrong)
				browsertest.Until(f, f.kiosk, `document.querySelectorAll(".kp-on").length === 4`)
				f.keys(kb.Enter)
				browsertest.Until(f, f.kiosk, `document.querySelectorAll(".kp-on").length === 0`)
			}
			f.kioskShows("denied")
			keep(f.T, f.kiosk, "kiosk-digits-denied")
			f.shows(f.phone, "Wrong digits three times")
		}},
		{"given up on the phone", func(f *flow) {
			f.begin()
			f.press(f.phone, `button[value="cancel"]`)
			f.kioskShows("cancelled")
			f.shows(f.phone, "cancelled")
		}},
		{"given up at the broker", func(f *flow) {
			f.begin()
			f.press(f.phone, "button.go")
			f.kioskShows("phone-login")
			f.press(f.phone, `button[value=""]`)
			f.kioskShows("cancelled")
			f.shows(f.phone, "cancelled")
		}},
		{"given up at the kiosk", func(f *flow) {
			link := f.begin()
			f.shows(f.phone, "Log in at Smartkiosk")
			f.keys(kb.Backspace)
			f.shows(f.kiosk, "#")
			keep(f.T, f.kiosk, "kiosk-leave")
			f.keys(kb.Enter)
			f.kioskShows("cancelled")
			browsertest.Do(f, f.phone, chromedp.Navigate(link))
			f.shows(f.phone, "cancelled")
		}},
		{"no phone in time", func(f *flow) {
			link := f.begin()
			f.demo.Later(61 * time.Second)
			f.kioskShows("timed-out")
			browsertest.Do(f, f.phone, chromedp.Navigate(link))
			f.shows(f.phone, "Time ran out")
		}},
		{"no digits in time", func(f *flow) {
			f.begin()
			f.logIn()
			f.digits()
			f.demo.Later(61 * time.Second)
			f.kioskShows("timed-out")
			f.shows(f.phone, "Time ran out")
		}},
		{"a second phone", func(f *flow) {
			link := f.begin()
			f.press(f.phone, "button.go")
			f.kioskShows("phone-login")
			other, closeOther := chromedp.NewContext(f.kiosk, chromedp.WithNewBrowserContext())
			defer closeOther()
			browsertest.Do(f, other, chromedp.Navigate(link))
			f.shows(other, "Another phone")
			keep(f.T, other, "second-phone")
			f.press(f.phone, `button[value="ola"]`)
			f.kioskShows("phone-digits")
			f.keys(f.digits() + kb.Enter)
			f.kioskShows("granted")
			f.shows(f.phone, "Done.")
		}},
		{"a broker that is down", func(f *flow) {
			f.set("down")
			f.begin()
			f.press(f.phone, "button.go")
			f.kioskShows("failed")
			keep(f.T, f.kiosk, "kiosk-broker-down")
			f.shows(f.phone, "does not answer")
			f.set("up")
		}},
		{"a broker that is slow", func(f *flow) {
			f.begin()
			f.press(f.phone, "button.go")
			f.shows(f.phone, "Stand-in for a broker")
			f.set("slow")
			f.press(f.phone, `button[value="solveig"]`)
			f.kioskShows("checking") // it waits, and can still be given up
			f.set("up")
			f.kioskShows("phone-digits")
			f.keys(f.digits() + kb.Enter)
			f.kioskShows("granted")
			f.shows(f.phone, "Done.")
		}},
		{"the network is lost", func(f *flow) {
			f.begin()
			f.logIn()
			f.demo.SetHubReachable(false)
			f.kioskShows("failed")
			keep(f.T, f.kiosk, "kiosk-no-hub")
			f.demo.Later(61 * time.Second)
			f.shows(f.phone, "Time ran out")
			f.demo.SetHubReachable(true)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.play(&flow{T: t, demo: d, kiosk: kioskTab, phone: phoneTab})
		})
		if t.Failed() {
			return // what follows would begin anywhere
		}
		browsertest.Do(t, kioskTab, chromedp.KeyEvent(kb.Enter))
		browsertest.Until(t, kioskTab, screenIs("welcome"))
	}
}

// set switches the broker.
func (f *flow) set(state string) {
	f.Helper()
	if err := f.demo.SetBroker(state); err != nil {
		f.Fatal(err)
	}
}
