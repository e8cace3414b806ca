// Package browsertest gives tests of the demo a headless Chromium.
package browsertest

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Limit is how long one test may use its browser.
const Limit = 5 * time.Minute

// Start starts Chromium with one empty tab and returns the tab's context for
// Do, Get and Until. Both end with the test. An uncaught
// exception, an error on the console or a violation of the
// Content-Security-Policy fails the test.
func Start(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Limit)
	t.Cleanup(cancel)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()),
		// Without a network Chromium's own requests would fail one by one.
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
	)
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's sandbox refuses root
	}
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("page: %v", e.ExceptionDetails)
		case *log.EventEntryAdded:
			// Chromium reports an error when a stream ends with its server. It is not one.
			if e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.URL, "/events") {
				t.Errorf("page: %s %s", e.Entry.Text, e.Entry.URL)
			}
		}
	})
	if err != nil {
		t.Fatalf("cannot start Chromium: %v", err)
	}
	t.Cleanup(func() {
		// Wait until Chromium has ended, because it writes to the folder until then.
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("cannot stop Chromium: %v", err)
		}
	})
	return ctx
}

// Do runs actions and ends the test when one fails.
func Do(t testing.TB, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// Get runs an action and returns its value, or ends the test when it fails.
func Get[T any](t testing.TB, ctx context.Context, action chromedp.Action[T]) T {
	t.Helper()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// Until waits for a JavaScript expression to become true, at most a minute.
func Until(t testing.TB, ctx context.Context, expression string) {
	t.Helper()
	err := chromedp.Do(ctx, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingTimeout(time.Minute)))
	if err != nil {
		page, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText")) // for the message
		t.Fatalf("waited for %s: %v; the page reads:\n%s", expression, err, page)
	}
}

// Media emulates the preferences of a reader (CSS Media Queries 5) and resets those
// set before. Example:
// {"prefers-color-scheme": "dark", "prefers-reduced-motion": "reduce"}.
func Media(preferred map[string]string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		var media emulation.SetEmulatedMediaParams
		for feature, value := range preferred {
			media.Features = append(media.Features, &emulation.MediaFeature{Name: feature, Value: value})
		}
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, media)
		return err
	})
}

// Screenshot writes the window's content to a PNG file.
func Screenshot(file string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		png, err := chromedp.CaptureScreenshot()(ctx, tab)
		if err != nil {
			return err
		}
		return os.WriteFile(file, png, 0o644)
	})
}
