package rules

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A changed file is in force at the next look. One that cannot be used, or is
// gone, leaves the rules of before, and that is said once.
func TestWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const deny, allow = "default = \"deny\"\n", "default = \"allow\"\n"
	if _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), "cannot read rules: "+path+" is missing") {
		t.Errorf("a file that is missing: got %v", err)
	}
	write("default = \"perhaps\"")
	if _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), "cannot read rules "+path+`: default = "perhaps"`) {
		t.Errorf("a file that is wrong: got %v", err)
	}
	write(deny)
	f, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	var text logged
	log := slog.New(slog.NewTextHandler(&text, nil))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			f.Watch(ctx, time.Second, log)
			close(ended)
		}()
		for _, step := range []struct {
			what    string
			do      func()
			allowed bool
			stale   bool
			says    string
			lines   int
		}{
			{"nothing", func() {}, false, false, "", 0},
			{"another file", func() { write(allow) }, true, false, `msg="rules in force"`, 1},
			{"a wrong one", func() { write("default = 1") }, true, true, `msg="rules not changed, those of before stay in force"`, 1},
			{"nothing again", func() {}, true, true, "", 0},
			{"none", func() { os.Remove(path) }, true, true, "is missing", 1},
			{"a good one", func() { write(deny) }, false, false, "version=", 1},
			{"a wrong one and back", func() { write("default = 2") }, false, true, "stay in force", 1},
			{"back", func() { write(deny) }, false, false, "rules in force", 1},
		} {
			step.do()
			// Two looks, as one could come before.
			<-time.After(2 * time.Second)
			synctest.Wait()
			text := text.take()
			if got := f.Rules().Decide(Case{Subject: kari}).Allowed; got != step.allowed || f.Stale() != step.stale {
				t.Errorf("%s: lets in %t, stale %t", step.what, got, f.Stale())
			}
			if got := strings.Count(text, "\n"); got != step.lines || !strings.Contains(text, step.says) {
				t.Errorf("%s: it says\n%s", step.what, text)
			}
		}
		cancel()
		<-ended
	})
}

// logged is what was logged since it was last taken.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

// A rule about a trust domain that is not there would never speak.
func TestOpenKnowsDomains(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.toml")
	if err := os.WriteFile(path, []byte(shifts), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, known := range [][]string{nil, {"local", "buypass"}} {
		if _, err := Open(path, known); err != nil {
			t.Errorf("%q: %v", known, err)
		}
	}
	if _, err := Open(path, []string{"local"}); err == nil || !strings.Contains(err.Error(), `rule "day": domains: there is no trust domain "buypass", but ["local"]`) {
		t.Errorf("got %v", err)
	}
}
