package kiosk_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk"
)

var update = flag.Bool("update", false, "rewrite the effects in testdata/visits")

// TestTraces plays testdata/visits/*.txt. A line that begins in the first column is
// an event; the indented lines below it are the effects that Step must return, in
// order. Read them as the documentation of each flow. A line "a kiosk of" starts
// again with a new kiosk that has the named parts.
func TestTraces(t *testing.T) {
	files, err := filepath.Glob("testdata/visits/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no traces", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := play(want)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(got, want) {
				return
			}
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			t.Errorf("the trace differs; Step gave:\n%s", got)
		})
	}
}

// play returns the script with the effects that Step returns under each event.
func play(script []byte) ([]byte, error) {
	var out bytes.Buffer
	tr := newTrace()
	for i, line := range strings.Split(strings.TrimRight(string(script), "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, " "), strings.HasPrefix(line, "\t"):
			continue
		case line == "", strings.HasPrefix(line, "#"):
			fmt.Fprintln(&out, line)
			continue
		}
		fmt.Fprintln(&out, line)
		if parts, begins := strings.CutPrefix(line, "a kiosk of "); begins {
			var all []kiosk.Part
			for _, p := range strings.Fields(parts) {
				all = append(all, kiosk.Part(p))
			}
			tr = newTrace(all...)
			continue
		}
		events, err := tr.parse(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		for _, e := range events {
			for _, effect := range tr.step(e) {
				fmt.Fprintf(&out, "    %s\n", describe(effect))
			}
		}
	}
	return out.Bytes(), nil
}

// trace is a Visit driven by the event lines of a script.
type trace struct {
	visit   kiosk.Visit
	serials map[kiosk.Timer]int

	question int // the number of the last question to the hub or the offline policy
}

func newTrace(parts ...kiosk.Part) *trace {
	return &trace{
		visit: kiosk.New(kiosk.Config{
			Languages: []string{"nb", "en"}, Timing: kiosk.DefaultTiming, Parts: parts,
		}),
		serials: map[kiosk.Timer]int{},
	}
}

func (tr *trace) step(e kiosk.Event) []kiosk.Effect {
	var effects []kiosk.Effect
	tr.visit, effects = tr.visit.Step(e)
	for _, effect := range effects {
		switch effect := effect.(type) {
		case kiosk.StartTimer:
			tr.serials[effect.Timer] = effect.Serial
		case kiosk.GetChallenge:
			tr.question = effect.Question
		case kiosk.Authenticate:
			tr.question = effect.Question
		case kiosk.DecideOffline:
			tr.question = effect.Question
		case kiosk.BeginLogin:
			tr.question = effect.Question
		case kiosk.LogInHosted:
			tr.question = effect.Question
		case kiosk.AwaitLogin:
			tr.question = effect.Question
		case kiosk.TypeDigits:
			tr.question = effect.Question
		case kiosk.ListDocuments:
			tr.question = effect.Question
		case kiosk.GetDocument:
			tr.question = effect.Question
		case kiosk.HandIn:
			tr.question = effect.Question
		}
	}
	return effects
}

var kari = kiosk.Holder{ID: "UN:NO-9578-4050-100001", Name: "Kari Nordmann", Domain: "buypass-test"}

// basis returns the Basis of an offline verdict, or the zero Basis of a hub's verdict.
func basis(offline string) kiosk.Basis {
	if offline != "offline" {
		return kiosk.Basis{}
	}
	return kiosk.Basis{Rules: "rules-7", Time: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
}

// digits returns the card's maximum number of PIN digits: 16 for "16-digits", 4 by
// default.
func digits(word string) int {
	if n, err := strconv.Atoi(strings.TrimSuffix(word, "-digits")); err == nil {
		return n
	}
	return 4
}

// services returns what a policy offers: any of change-pin, unblock-pin, documents,
// phone:sandbox, phone:production, and codes of choices.
func services(words []string) (s kiosk.Services) {
	for _, word := range words {
		switch kiosk.Service(word) {
		case kiosk.ServiceChange:
			s.ChangePIN = true
		case kiosk.ServiceUnblock:
			s.Unblock = true
		case "phone:production":
			s.Phone = kiosk.Production
		case "phone:sandbox":
			s.Phone = kiosk.Sandbox
		case "documents":
			s.Documents = true
		default:
			s.Choices = append(s.Choices, kiosk.Choice{Code: word, Texts: map[string]string{"nb": "nb:" + word, "en": "en:" + word}})
		}
	}
	return s
}

// cardServices returns what a card allows: change:kiosk, change:page, unblock:kiosk, unblock:page.
func cardServices(words []string) kiosk.CardServices {
	c := kiosk.CardServices{Page: "https://issuer.example", PUKMin: 8, PUKMax: 8}
	for _, word := range words {
		switch name, way, _ := strings.Cut(word, ":"); name {
		case "change":
			c.Change = kiosk.Way(way)
		case "unblock":
			c.Unblock = kiosk.Way(way)
		}
	}
	return c
}

// parse reads one event line. The first word is the event's name, the second is its
// visit if it has one.
func (tr *trace) parse(line string) ([]kiosk.Event, error) {
	w := strings.Fields(line)
	arg := func(i int) string {
		if i < len(w) {
			return w[i]
		}
		return ""
	}
	number := func(i int) int { n, _ := strconv.Atoi(arg(i)); return n }
	one := func(e kiosk.Event) ([]kiosk.Event, error) { return []kiosk.Event{e}, nil }
	switch w[0] {
	case "inserted":
		return one(kiosk.CardInserted{Visit: arg(1)})
	case "silent":
		return one(kiosk.CardSilent{Visit: arg(1)})
	case "gone":
		return one(kiosk.CardGone{})
	case "claimed":
		return one(kiosk.CardClaimed{})
	case "wanted":
		return one(kiosk.CardWanted{})
	case "unused":
		return one(kiosk.CardUnused{Visit: arg(1)})
	case "returned":
		return one(kiosk.CardReturned{})
	case "recording-begins":
		return one(kiosk.RecordingBegins{})
	case "recording-ends":
		return one(kiosk.RecordingEnds{})
	case "reader-gone":
		return one(kiosk.ReaderGone{Wanted: arg(1), Found: strings.Join(w[min(2, len(w)):], " ")})
	case "part-lost":
		return one(kiosk.PartLost{Part: kiosk.Part(arg(1))})
	case "part-found":
		return one(kiosk.PartFound{Part: kiosk.Part(arg(1))})
	case "stopping":
		return one(kiosk.Stopping{})
	case "keys":
		var keys []kiosk.Event
		for _, k := range arg(1) {
			keys = append(keys, kiosk.KeyPressed{Key: kiosk.Key(k)})
		}
		return keys, nil
	case "elapsed":
		timer := kiosk.Timer(arg(1))
		return one(kiosk.Elapsed{Timer: timer, Serial: tr.serials[timer]})
	case "services":
		return one(kiosk.ServicesSet{Services: services(w[1:])})
	case "pin-changed":
		return one(kiosk.PINChanged{Visit: arg(1)})
	case "signature-ready":
		return one(kiosk.SignatureReady{Visit: arg(1), PIN: kiosk.PINStatus{Min: 6, Max: 6, Tries: number(3), TriesKnown: arg(2) == "tries"}})
	case "listed":
		var all []kiosk.DocumentInfo
		for _, title := range w[2:] {
			all = append(all, kiosk.DocumentInfo{ID: "id-" + title, Title: title, Kind: kiosk.TextDocument, Hash: "hash-" + title})
		}
		return one(kiosk.DocumentsListed{Visit: arg(1), Question: tr.question, Documents: all})
	case "document":
		return one(kiosk.DocumentReady{Visit: arg(1), Question: tr.question, Pages: w[2:]})
	case "document-failed":
		return one(kiosk.DocumentFailed{Visit: arg(1), Question: tr.question, Reason: kiosk.Reason(arg(2))})
	case "document-signed":
		return one(kiosk.DocumentSigned{Visit: arg(1), Signature: []byte("signature")})
	case "handed-in":
		return one(kiosk.HandedIn{Visit: arg(1), Question: tr.question})
	case "read":
		return one(kiosk.CardRead{Visit: arg(1), Holder: kari, Services: cardServices(w[2:]),
			PIN: kiosk.PINStatus{Min: 4, Max: digits(arg(4)), Tries: number(3), TriesKnown: arg(2) == "tries", OnReader: arg(4) == "on-reader"}})
	case "refused":
		return one(kiosk.CardRefused{Visit: arg(1), Reason: kiosk.Reason(arg(2)), Holder: kari})
	case "failed":
		return one(kiosk.CardFailed{Visit: arg(1), Reason: kiosk.Reason(arg(2))})
	case "pin-accepted":
		return one(kiosk.PINAccepted{Visit: arg(1)})
	case "pin-rejected":
		return one(kiosk.PINRejected{Visit: arg(1),
			PIN: kiosk.PINStatus{Tries: number(3), TriesKnown: arg(2) == "tries"}})
	case "pad-cancelled":
		return one(kiosk.PadCancelled{Visit: arg(1)})
	case "pad-timed-out":
		return one(kiosk.PadTimedOut{Visit: arg(1)})
	case "pad-mistyped":
		return one(kiosk.PadMistyped{Visit: arg(1)})
	case "pad-refused":
		return one(kiosk.PadRefused{Visit: arg(1)})
	case "signed":
		return one(kiosk.Signed{Visit: arg(1), Nonce: arg(2), Token: []byte("token")})
	case "challenge":
		within, _ := time.ParseDuration(arg(3))
		return one(kiosk.ChallengeReady{Visit: arg(1), Question: tr.question, Nonce: arg(2), VerdictWithin: within})
	case "hub-unreachable":
		return one(kiosk.HubUnreachable{Visit: arg(1), Question: tr.question})
	case "hub-failed":
		return one(kiosk.HubFailed{Visit: arg(1), Question: tr.question, Reason: kiosk.Reason(arg(2))})
	case "granted":
		ticket := ""
		if arg(2) == "documents" {
			ticket = "ticket"
		}
		return one(kiosk.Decided{Visit: arg(1), Question: tr.question, Verdict: kiosk.Verdict{
			Granted: true, Holder: kari, Offline: arg(2) == "offline", Basis: basis(arg(2)), Documents: ticket}})
	case "denied":
		return one(kiosk.Decided{Visit: arg(1), Question: tr.question, Verdict: kiosk.Verdict{
			Reason: kiosk.Reason(arg(2)), Holder: kari, Offline: arg(3) == "offline", Basis: basis(arg(3))}})
	case "recorded":
		return one(kiosk.Recorded{Visit: arg(1)})
	case "room-ends":
		return one(kiosk.RoomEnds{})
	case "room-again":
		return one(kiosk.RoomAgain{})
	case "record-failed":
		return one(kiosk.RecordFailed{Visit: arg(1)})
	}
	return tr.parsePhone(w)
}

// describe returns an effect in the format of the traces.
func describe(e kiosk.Effect) string {
	words := func(w ...string) string {
		return strings.Join(strings.Fields(strings.Join(w, " ")), " ")
	}
	flag := func(set bool, name string) string {
		if set {
			return name
		}
		return ""
	}
	switch e := e.(type) {
	case kiosk.Show:
		s := e.Screen
		tries := ""
		if s.TriesKnown {
			tries = fmt.Sprintf("tries=%d", s.Tries)
		}
		notice := string(s.Notice)
		if s.Digits > 0 {
			notice = fmt.Sprintf("%s=%d", s.Notice, s.Digits)
		}
		typed := ""
		if s.TakesPIN() {
			typed = fmt.Sprintf("typed=%d", s.Typed)
		}
		menu := ""
		for _, e := range s.Menu {
			menu = words(menu, string(e.Service), e.Label)
		}
		if s.First > 0 {
			menu = fmt.Sprintf("%s first=%d", menu, s.First)
		}
		unblock := ""
		if s.Unblock != "" {
			unblock = "unblock:" + string(s.Unblock)
		}
		part := ""
		if s.Parts > 0 {
			part = fmt.Sprintf("%d/%d", s.Part, s.Parts)
		}
		return words("show", string(s.ID), s.Language, string(s.Service), string(s.Asks), s.Title, string(s.Kind), part, s.Text, flag(s.Read, "read"), string(s.Decision), menu, s.Page, unblock, typed, flag(s.OnReader, "on-reader"), tries, flag(s.WrongPIN, "wrong-pin"), flag(s.TimeShort, "time-short"),
			notice, string(s.Reason), s.Wanted, s.Found, s.Name, flag(s.Offline, "offline"), flag(s.TakeCard, "take-card"), flag(s.Insistent, "insistent"), flag(s.Recorded, "recorded"), flag(s.ByPhone, "by-phone"), flag(s.Hosted, "hosted"), flag(s.Sandbox, "sandbox"))
	case kiosk.Sound:
		return words("sound", string(e.Cue))
	case kiosk.OpenDoor:
		return "open-door"
	case kiosk.ReadCard:
		return words("read-card", e.Visit)
	case kiosk.VerifyPIN:
		return fmt.Sprintf("verify-pin %s %v", e.Visit, e.PIN)
	case kiosk.VerifyOnPad:
		return words("verify-on-pad", e.Visit)
	case kiosk.ChangePIN:
		return fmt.Sprintf("change-pin %s %v %v", e.Visit, e.Old, e.New)
	case kiosk.UnblockPIN:
		return fmt.Sprintf("unblock-pin %s %v %v", e.Visit, e.PUK, e.New)
	case kiosk.PrepareSignature:
		return words("prepare-signature", e.Visit)
	case kiosk.ListDocuments:
		return words("list-documents", e.Visit, e.Ticket)
	case kiosk.GetDocument:
		return words("get-document", e.Visit, e.Ticket, e.Document.ID)
	case kiosk.SignDocument:
		return fmt.Sprintf("sign-document %s %v %s", e.Visit, e.PIN, e.Document.ID)
	case kiosk.HandIn:
		return words("hand-in", e.Visit, e.Ticket, e.Document.ID, string(e.Decision), string(e.Signature))
	case kiosk.Sign:
		if e.Nonce == "" {
			return words("sign", e.Visit, "own-nonce")
		}
		return words("sign", e.Visit, e.Nonce)
	case kiosk.Release:
		return "release"
	case kiosk.GetChallenge:
		return words("get-challenge", e.Visit)
	case kiosk.Authenticate:
		return words("authenticate", e.Visit, e.Nonce, string(e.Token))
	case kiosk.DecideOffline:
		return words("decide-offline", e.Visit, e.Nonce, string(e.Token))
	case kiosk.RecordShown:
		return words("record-shown", e.Visit, string(e.Result), string(e.Screen), flag(e.Door, "door"), string(e.Reason))
	case kiosk.Record:
		return words("record", e.Visit, string(e.Service), e.Code, e.Document.ID, e.Document.Hash, string(e.Decision), string(e.Outcome), string(e.Reason), e.Holder.Name,
			flag(e.Authenticated, "authenticated"), string(e.Method), flag(e.Sandbox, "sandbox"), flag(e.Offline, "offline"), e.Basis.Rules, e.Nonce, string(e.Token))
	case kiosk.StartTimer:
		return fmt.Sprintf("timer %s %v", e.Timer, e.After)
	case kiosk.StopTimer:
		return words("timer", string(e.Timer), "off")
	}
	return describePhone(e)
}
