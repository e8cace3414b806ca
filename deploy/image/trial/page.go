package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/chromedp/chromedp"

	"smartkiosk/device/panel"
)

// pageAddress is where this machine finds the panel's page, which kioskd serves to its own
// machine only. The trial forwards the connections.
const pageAddress = "127.0.0.1:8080"

// openPage lets this machine reach the page.
func openPage(s *shell) error {
	_, err := s.run("nft insert rule inet kiosk input tcp dport 8080 accept && " +
		"{ systemd-socket-activate -l 10.0.2.15:8080 /usr/lib/systemd/systemd-socket-proxyd 127.0.0.1:8080 >/dev/null 2>&1 & }")
	return err
}

// awaitFrame waits until the panel shows a frame that is wanted, and returns the frame.
func awaitFrame(what string, wanted func(panel.Frame) bool) (panel.Frame, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var last panel.Frame
	err := poll(ctx, func() (bool, error) {
		var err error
		if last, err = firstFrame(ctx); err != nil {
			return false, nil // kioskd may be starting
		}
		return wanted(last), nil
	})
	if err != nil {
		return last, fmt.Errorf("the panel never showed %s, but %q: %q: %w", what, last.Name, last.Heading, err)
	}
	return last, nil
}

// firstFrame returns what the panel shows.
func firstFrame(ctx context.Context) (f panel.Frame, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+pageAddress+"/panel/events", nil)
	if err != nil {
		return f, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return f, err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	frame := false
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && frame {
			return f, json.Unmarshal([]byte(data), &f)
		}
		frame = lines.Text() == "event: frame"
	}
	return f, fmt.Errorf("the panel's page shows no frame (%s): %w", response.Status, lines.Err())
}

// press presses keys, one after the other.
func press(keys string) error {
	for _, key := range keys {
		body, err := json.Marshal(map[string]string{"key": string(key)})
		if err != nil {
			return err
		}
		response, err := http.Post("http://"+pageAddress+"/panel/keys", "application/json", bytes.NewReader(body))
		if err != nil {
			return fmt.Errorf("cannot press a key: %w", err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusNoContent {
			return fmt.Errorf("cannot press a key: %s", response.Status)
		}
	}
	return nil
}

// browser shows the panel's page, for pictures of it.
type browser struct {
	tab  context.Context
	stop func()
}

func openBrowser() (*browser, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.DisableGPU, chromedp.WindowSize(700, 760))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's sandbox refuses root
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	tab, stopTab := chromedp.NewContext(allocator)
	b := &browser{tab: tab, stop: func() { stopTab(); stop() }}
	if err := chromedp.Do(tab, chromedp.Navigate("about:blank")); err != nil {
		b.stop()
		return nil, fmt.Errorf("cannot start Chromium: %w", err)
	}
	return b, nil
}

// open loads the page.
func (b *browser) open() error {
	return chromedp.Do(b.tab, chromedp.Navigate("http://"+pageAddress+"/panel/"))
}

// settle is how long the browser may take to draw what the panel has begun to show.
const settle = time.Second

// picture writes what the browser shows to a PNG file.
func (b *browser) picture(path string) error {
	time.Sleep(settle)
	png, err := chromedp.Run(b.tab, chromedp.CaptureScreenshot())
	if err != nil {
		return fmt.Errorf("cannot take a picture of the panel: %w", err)
	}
	return os.WriteFile(path, png, 0o644)
}
