// Package script plays visits without a browser. Each line of a script is
// something that a person does at the kiosk, or what is expected to happen.
//
//	insert CARD                           insert a card, after removing the one that is in
//	remove                                remove it
//	keys 1234#                            type, when a screen accepts keys (within 10 s)
//	phone open                            a new phone opens the link that the kiosk shows, and goes to the broker
//	phone login PERSON                    this person logs in there
//	phone cancel                          gives up there
//	digits                                type the digits that the phone shows; "digits wrong" types others
//	expect phone WORDS                    the phone's page has these words as its heading within 10 s
//	broker down                           switch the broker off; "broker up", on again
//	later 61s                             let the hub's clock run ahead, so that a login expires
//	hub down                              disconnect the kiosk from its hub
//	hub up                                connect it again
//	wait 2s                               let time pass
//	expect screen ID                      the kiosk shows this screen within 10 s
//	expect verdict granted|denied REASON  the current visit ends like this within 10 s; the reason may be left out
//	expect feed N                         a backend has pulled the outcomes of N visits within 10 s
//	# comment
package script

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"smartkiosk/kiosk"
)

// Script is a parsed script.
type Script struct {
	name  string
	steps []step
}

// step is one line of a script.
type step struct {
	line int
	do   func(context.Context, *player) error
}

// Parse reads a script. Its error names the file and the line.
func Parse(name string, r io.Reader) (*Script, error) {
	s := &Script{name: name}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		do, err := parseLine(words)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		s.steps = append(s.steps, step{n, do})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot read script %s: %w", name, err)
	}
	return s, nil
}

func parseLine(w []string) (func(context.Context, *player) error, error) {
	head, args := w[0], w[1:]
	if (head == "expect" || head == "phone") && len(args) > 0 {
		head, args = head+" "+args[0], args[1:]
	}
	form, known := forms[head]
	if !known {
		return nil, fmt.Errorf("cannot read %q: a line begins with insert, remove, keys, phone, digits, broker, hub, later, wait, expect screen, expect verdict, expect phone, expect feed", strings.Join(w, " "))
	}
	args = withoutComment(args, form.min)
	if len(args) < form.min || len(args) > form.max {
		return nil, fmt.Errorf("write it as %q", form.usage)
	}
	return form.parse(args)
}

// withoutComment removes a comment. It begins after the arguments that the command
// needs, because the # of "keys #" is an argument.
func withoutComment(args []string, from int) []string {
	for i := from; i < len(args); i++ {
		if strings.HasPrefix(args[i], "#") {
			return args[:i]
		}
	}
	return args
}

var forms = map[string]struct {
	usage    string
	min, max int // arguments
	parse    func(args []string) (func(context.Context, *player) error, error)
}{
	"insert":         {"insert CARD", 1, 1, parseInsert},
	"remove":         {"remove", 0, 0, parseRemove},
	"keys":           {"keys 1234#", 1, 1, parseKeys},
	"phone open":     {"phone open", 0, 0, parsePhoneOpen},
	"phone login":    {"phone login PERSON", 1, 1, parsePhoneLogin},
	"phone cancel":   {"phone cancel", 0, 0, parsePhoneCancel},
	"digits":         {"digits [wrong]", 0, 1, parseDigits},
	"expect phone":   {"expect phone WORDS", 1, maxWords, parsePhone},
	"broker":         {"broker up|down|slow", 1, 1, parseBroker},
	"later":          {"later DURATION", 1, 1, parseLater},
	"hub":            {"hub down|up", 1, 1, parseHub},
	"wait":           {"wait DURATION", 1, 1, parseWait},
	"expect screen":  {"expect screen ID", 1, 1, parseScreen},
	"expect verdict": {"expect verdict granted|denied [REASON]", 1, 2, parseVerdict},
	"expect feed":    {"expect feed N", 1, 1, parseFeed},
}

func parseInsert(args []string) (func(context.Context, *player) error, error) {
	return func(ctx context.Context, p *player) error { return p.insert(ctx, args[0]) }, nil
}

func parseRemove([]string) (func(context.Context, *player) error, error) {
	return func(ctx context.Context, p *player) error { return p.remove(ctx) }, nil
}

func parseKeys(args []string) (func(context.Context, *player) error, error) {
	if i := strings.IndexFunc(args[0], func(r rune) bool { return !strings.ContainsRune("0123456789#*L", r) }); i >= 0 {
		return nil, fmt.Errorf("there is no key %q: keys are 0 to 9, # (OK), * (correct), L (language)", args[0][i])
	}
	return func(ctx context.Context, p *player) error { return p.keys(ctx, args[0]) }, nil
}

func parseHub(args []string) (func(context.Context, *player) error, error) {
	if args[0] != "up" && args[0] != "down" {
		return nil, fmt.Errorf("the hub can be up or down, not %q", args[0])
	}
	return func(_ context.Context, p *player) error { p.machine.SetHubReachable(args[0] == "up"); return nil }, nil
}

func parseWait(args []string) (func(context.Context, *player) error, error) {
	d, err := time.ParseDuration(args[0])
	if err != nil || d < 0 {
		return nil, fmt.Errorf("%q is not a duration such as 500ms, 2s or 1m", args[0])
	}
	return func(ctx context.Context, _ *player) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}, nil
}

func parseScreen(args []string) (func(context.Context, *player) error, error) {
	id := kiosk.ScreenID(args[0])
	if !slices.Contains(kiosk.Screens, id) {
		return nil, fmt.Errorf("there is no screen %q: the screens are %v", id, kiosk.Screens)
	}
	return func(ctx context.Context, p *player) error { return p.expectScreen(ctx, id) }, nil
}

func parseVerdict(args []string) (func(context.Context, *player) error, error) {
	want := verdict{Outcome: kiosk.Outcome(args[0])}
	if want.Outcome != kiosk.Granted && want.Outcome != kiosk.Denied {
		return nil, fmt.Errorf("a verdict can be granted or denied, not %q", args[0])
	}
	if len(args) > 1 {
		want.Reason = kiosk.Reason(args[1])
	}
	return func(ctx context.Context, p *player) error { return p.expectVerdict(ctx, want) }, nil
}

func parseFeed(args []string) (func(context.Context, *player) error, error) {
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 0 {
		return nil, fmt.Errorf("%q is not a number of events", args[0])
	}
	return func(ctx context.Context, p *player) error { return p.expectFeed(ctx, n) }, nil
}
