package kiosk

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// walk is a Visit under random events, with the history that the invariants need. It
// is inside the package so that it can check what a state still holds.
type walk struct {
	*rapid.T
	visit    Visit
	started  []string       // visits begun
	logins   int            // of them, by phone
	records  map[string]int // outcomes by visit
	told     map[string]RecordShown
	screens  map[string]ScreenID // outcomes on the display, by visit
	opened   map[string]bool     // visits for which the door opened
	begun    int                 // services that began
	ended    int                 // outcomes of services
	durable  map[string]bool
	running  map[Timer]int // timers by serial
	buffers  []*[MaxPINDigits]byte
	typed    []byte          // digits typed in this visit
	onPad    bool            // the reader asks for the PIN
	sent     bool            // a PIN of this visit was sent to the card
	cut      bool            // a digit of the PIN being typed was refused
	offline  map[string]bool // visits for which no hub could be reached
	lastShow Screen
	read     map[int]bool // pages of the document that were shown
	pages    int          // that it has
}

func newWalk(t *rapid.T) *walk {
	return &walk{
		T:       t,
		visit:   New(Config{Languages: []string{"nb", "en"}, Timing: DefaultTiming}),
		records: map[string]int{}, told: map[string]RecordShown{}, screens: map[string]ScreenID{}, opened: map[string]bool{}, durable: map[string]bool{}, offline: map[string]bool{}, running: map[Timer]int{},
	}
}

// name makes ids of letters only, so that every digit in an effect comes from a PIN.
func name(prefix string, n int) string {
	return prefix + string(rune('a'+n/26%26)) + string(rune('a'+n%26))
}

func (w *walk) step(e Event) {
	before, typedBefore, extensions, language := w.visit.state, w.visit.pin.Len(), w.visit.extensions, w.visit.language
	service := w.visit.service
	if wanted, ok := e.(LoginWanted); ok && !w.visit.BeginsLogin(KeyPhone) {
		w.Fatalf("in state %d the key 1 begins the visit %s", before, wanted.Visit)
	}
	if wanted, ok := e.(HostedWanted); ok && !w.visit.BeginsHosted(KeyHosted) {
		w.Fatalf("in state %d the key 2 begins the visit %s", before, wanted.Visit)
	}
	after, effects := w.visit.Step(e)
	if late(e, w.visit.question) && len(effects) > 0 {
		w.Fatalf("in state %d the late answer %+v has the effects %v", before, e, effects)
	}
	w.visit = after
	for _, p := range []PIN{after.pin, after.proof, after.fresh} {
		if p.buffer != nil {
			w.buffers = append(w.buffers, p.buffer)
		}
	}
	if service == "" && after.service != "" && after.state != referring {
		w.begun++
	}
	if after.service != "" && after.state != enteringPIN && after.state < changing {
		w.Fatalf("service %s in state %d", after.service, after.state)
	}
	if key, pressed := e.(KeyPressed); pressed && before == enteringPIN && key.Key.IsDigit() && after.pin.Len() == typedBefore {
		w.cut = true
	} else if after.pin.Len() == 0 && !after.digitRefused {
		w.cut = w.cut && after.state != enteringPIN
	}
	if key, pressed := e.(KeyPressed); pressed && key.Key == KeyLanguage && before != atHosted && before != openingHosted && (after.language == language || after.Screen().Language != after.language) {
		w.Fatalf("in state %d the language key does not change the language", before)
	}
	if _, wanted := e.(CardWanted); wanted && after.claimed && before != idle && before != outOfService &&
		(before != reading && before != enteringPIN || typedBefore > 0 || w.sent) {
		w.Fatalf("a visit in state %d yields its card after the holder has typed", before)
	}
	shown := 0
	for i, effect := range effects {
		w.checkNoPIN(effect)
		switch effect := effect.(type) {
		case ReadCard:
			if after.outboxFull {
				w.Fatal("a visit begins that could not be recorded")
			}
			if len(after.lost) > 0 {
				w.Fatalf("a visit begins without %v", after.lost)
			}
			w.started = append(w.started, effect.Visit)
			w.typed = nil
			w.onPad, w.sent = false, false
		case Record:
			if effect.Service != "" {
				if service == "" { // a choice begins and ends in one step
					w.begun++
				}
				w.ended++
				w.durable[effect.Visit] = false
				if effect.Token != nil || effect.Nonce != "" {
					w.Fatal("a service's record has the evidence of the login")
				}
				continue
			}
			w.records[effect.Visit]++
			if w.records[effect.Visit] > 1 {
				w.Fatalf("visit %s: a second outcome", effect.Visit)
			}
			if effect.Reason == VisitTimeout && !w.lastShow.TimeShort && extensions < maxExtensions {
				w.Fatal("a visit ends without the question whether the person needs more time")
			}
			if _, hangs := e.(Elapsed); effect.Reason == PINTimeout && !w.lastShow.TimeShort && !(hangs && before == enteringOnReader) {
				w.Fatal("PIN entry ends without a warning")
			}
		case BeginLogin:
			if after.unfitNow() || after.cardIn {
				w.Fatalf("a login by phone begins, card in %v, outbox full %v, lost %v", after.cardIn, after.outboxFull, after.lost)
			}
			w.started = append(w.started, effect.Visit)
			w.typed = nil
			w.logins++
		case LogInHosted:
			if after.unfitNow() || after.cardIn || !after.hostedReady {
				w.Fatalf("a login on a hosted page begins, card in %v, browser %v, outbox full %v, lost %v", after.cardIn, after.hostedReady, after.outboxFull, after.lost)
			}
			w.started = append(w.started, effect.Visit)
			w.typed = nil
		case TypeHosted:
			if before != atHosted {
				w.Fatalf("a key goes to a page in state %d", before)
			}
		case CancelLogin:
			if effect.Login == "" {
				w.Fatal("a login without an id is cancelled")
			}
		case TypeDigits:
			if before != enteringDigits || effect.Digits.Len() != phoneDigits {
				w.Fatalf("%d digits of a phone are sent in state %d", effect.Digits.Len(), before)
			}
			effect.Digits.Wipe()
		case RecordShown:
			if _, again := w.told[effect.Visit]; again || w.records[effect.Visit] != 1 {
				w.Fatalf("visit %s: a report after %d outcomes, reported before: %v", effect.Visit, w.records[effect.Visit], again)
			}
			w.told[effect.Visit] = effect
		case VerifyOnPad:
			if w.onPad {
				w.Fatal("VerifyOnPad while the reader already asks for the PIN")
			}
			w.onPad = true
		case VerifyPIN:
			if before != enteringPIN {
				w.Fatalf("a PIN is verified that was typed in state %d", before)
			}
			if w.cut {
				w.Fatal("a PIN is verified although one of its digits was refused")
			}
			w.sent = true
			// The runner of the effect owns the PIN and wipes it.
			if err := effect.PIN.Use(func([]byte) error { return nil }); err != nil {
				w.Fatal(err)
			}
		case ChangePIN:
			w.uses(before, effect.Old, effect.New)
		case UnblockPIN:
			w.uses(before, effect.PUK, effect.New)
		case GetDocument:
			w.read, w.pages = map[int]bool{}, 0
		case SignDocument:
			w.signs(before, effect)
		case HandIn:
			if (effect.Decision == DecisionSigned) != (len(effect.Signature) > 0) || effect.Ticket == "" || effect.Document.ID == "" {
				w.Fatalf("handed in: %+v", effect)
			}
		case DecideOffline:
			if !w.offline[effect.Visit] {
				w.Fatal("the kiosk decides although a hub was reached")
			}
		case StartTimer:
			w.running[effect.Timer] = effect.Serial
		case StopTimer:
			delete(w.running, effect.Timer)
		case Show:
			w.lastShow = effect.Screen
			shown++
			if effect.Screen.ID == ScreenDocument {
				w.read[effect.Screen.Part], w.pages = true, effect.Screen.Parts
			}
			if after.state == showing && before == recording && after.outcome.Service == "" && !after.isLostIn(showing, Display) {
				w.screens[after.id] = effect.Screen.ID
			}
		case OpenDoor:
			if i == 0 || w.lastShow.ID != ScreenGranted {
				w.Fatal("the door opens without the granted screen")
			}
			if (after.byPhone || after.hosted) && (after.sandbox || after.login.Sandbox || after.offered.Phone != Production) {
				w.Fatal("the door opens for a login of a sandbox")
			}
			w.opened[after.id] = !after.isLostIn(showing, Door)
		}
	}
	if shown > 1 {
		w.Fatalf("%d screens in one step", shown)
	}
	if w.lastShow != (Screen{}) && w.lastShow != after.Screen() {
		w.Fatalf("shown %v, to be shown %v", w.lastShow, after.Screen())
	}
	// 1. A verdict is shown only after its event is durable.
	switch after.Screen().ID {
	case ScreenGranted, ScreenDenied, ScreenDone:
		if !w.durable[w.started[len(w.started)-1]] {
			w.Fatalf("%v is shown before it is recorded", after.Screen())
		}
	}
	// 4. Every state but idle and out of service has a timeout.
	if after.state != idle && after.state != outOfService {
		if _, runs := w.running[TimerState]; !runs {
			w.Fatalf("state %d, from %d: no timeout", after.state, before)
		}
	}
	if after.state == idle || after.state == outOfService {
		w.checkWiped()
	}
	if after.privacy && (after.state != idle || after.cardIn) {
		w.Fatalf("the privacy screen covers state %d", after.state)
	}
	// A card that a login page uses is in no visit, and the kiosk does not ask for it.
	if after.claimed && (after.InProgress() || !after.cardIn || after.Screen().ID == ScreenRemoveCard) {
		w.Fatalf("claimed in state %d, shown %v", after.state, after.Screen())
	}
	// The card is open exactly while the visit or a service can use it.
	if after.open && (after.state == idle || after.state == outOfService) || !after.open && (after.state >= choosing || after.state == enteringPIN) {
		w.Fatalf("state %d with the card open: %v", after.state, after.open)
	}
	if after.isLostIn(enteringPIN, Keypad) || after.isLostIn(enteringDigits, Keypad) || after.isLostIn(waitingForPhone, Keypad) || after.isLostIn(phoneOpened, Keypad) || after.isLostIn(atHosted, Keypad) || after.isLostIn(choosing, Keypad) || after.isLostIn(readingDocument, Display) || after.undecided() && (after.isLostIn(after.state, Display) || after.isLostIn(after.state, Door)) {
		w.Fatalf("a visit continues in state %d without %v", after.state, after.lost)
	}
	// While the reader asks for the PIN, keys of the panel do not belong to it.
	if after.state == enteringOnReader && (after.pin != (PIN{}) || !w.onPad || after.Screen().TakesPIN()) {
		w.Fatalf("the reader asks for the PIN, and so does the panel: %+v", after)
	}
}

// late reports whether e answers an earlier question than the last one.
func late(e Event, question int) bool {
	switch e := e.(type) {
	case ChallengeReady:
		return e.Question != question
	case HubUnreachable:
		return e.Question != question
	case HubFailed:
		return e.Question != question
	case Decided:
		return e.Question != question
	case LoginChanged:
		return e.Question != question
	case HostedFailed:
		return e.Question != question
	case DocumentsListed:
		return e.Question != question
	case DocumentReady:
		return e.Question != question
	case DocumentFailed:
		return e.Question != question
	case HandedIn:
		return e.Question != question
	}
	return false
}

// unfitNow reports whether no visit may begin.
func (v Visit) unfitNow() bool { return v.outboxFailed || v.outboxFull || len(v.lost) > 0 }

// uses checks two codes that an effect gives to the card, and wipes them as the runner of
// the effect does.
func (w *walk) uses(before state, proof, fresh PIN) {
	if before != enteringPIN || w.cut {
		w.Fatalf("codes are used that were typed in state %d, cut %v", before, w.cut)
	}
	if proof.Len() < defaultMinPIN || fresh.Len() < defaultMinPIN {
		w.Fatalf("codes of %d and %d digits are used", proof.Len(), fresh.Len())
	}
	proof.Wipe()
	fresh.Wipe()
}

// signs checks that a document is signed with a whole PIN, and only after the holder saw
// each of its pages. It wipes the PIN as the runner of the effect does.
func (w *walk) signs(before state, e SignDocument) {
	if before != enteringPIN || w.cut || e.PIN.Len() < defaultMinPIN {
		w.Fatalf("signed with a PIN of %d digits that was typed in state %d, cut %v", e.PIN.Len(), before, w.cut)
	}
	if w.pages == 0 || len(w.read) != w.pages {
		w.Fatalf("%d of %d pages were shown before the document was signed", len(w.read), w.pages)
	}
	e.PIN.Wipe()
}

// isLostIn reports whether the visit is in a state and a part is lost.
func (v Visit) isLostIn(in state, p Part) bool { return v.state == in && slices.Contains(v.lost, p) }

// checkWiped checks that nothing of a visit is left.
func (w *walk) checkWiped() {
	v := w.visit
	if v.proof != (PIN{}) || v.fresh != (PIN{}) || v.service != "" || v.code != "" || v.loggedIn || v.card != (CardServices{}) || !reflect.DeepEqual(v.documents, documents{}) || len(v.offered.Choices) > 0 {
		w.Fatalf("a service is over and still known: %+v", v)
	}
	if v.byPhone || v.hosted || v.onPage != 0 || v.sandbox || v.proven || v.login != (PhoneLogin{}) || v.shown.Page != "" {
		w.Fatalf("a login by phone is over and still known: %+v", v)
	}
	if v.id != "" || v.holder != (Holder{}) || v.nonce != "" || v.token != nil || v.pin != (PIN{}) ||
		!reflect.DeepEqual(v.outcome, Record{}) || v.shown.Name != "" || v.refusal.Name != "" {
		w.Fatalf("a visit is over and still known: %+v", v)
	}
	for _, b := range w.buffers {
		if *b != ([MaxPINDigits]byte{}) {
			w.Fatal("a PIN is not wiped")
		}
	}
	w.buffers = nil
}

// checkNoPIN checks invariant 3: only VerifyPIN, ChangePIN, UnblockPIN and SignDocument
// contain PIN digits, only TypeDigits those of a phone, and only TypeHosted those of a hosted page.
func (w *walk) checkNoPIN(e Effect) {
	switch e.(type) {
	case VerifyPIN, ChangePIN, UnblockPIN, TypeDigits, TypeHosted, SignDocument:
		return
	}
	if len(w.typed) < 2 {
		return
	}
	v := reflect.ValueOf(e)
	for i := range v.NumField() {
		var held []byte
		switch f := v.Field(i).Interface().(type) {
		case PIN:
			w.Fatalf("%T holds a PIN", e)
		case string:
			held = []byte(f)
		case []byte:
			held = f
		case Screen:
			held = fmt.Append(nil, f)
		case Holder, PhoneLogin:
			held = fmt.Append(nil, f)
		}
		if bytes.Contains(held, w.typed) {
			w.Fatalf("%T shows what was typed", e)
		}
	}
}

// TestInvariants walks random events and checks the six invariants of the
// visit machine at every step.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWalk(t)
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			w.happen(w.event())
			if rapid.IntRange(0, 30).Draw(t, "end") == 0 {
				w.ends()
			}
		}
		w.ends()
		w.checkOutcomes()
	})
}

// checkOutcomes checks invariant 5: each visit yields exactly one outcome, and so does
// each service; and invariant 6.
func (w *walk) checkOutcomes() {
	for _, id := range w.started {
		if w.records[id] != 1 {
			w.Fatalf("visit %s: %d outcomes", id, w.records[id])
		}
		// 6. Each outcome has one report of what the person saw, and it is true.
		said, there := w.told[id]
		if shown := w.screens[id] != "" || w.opened[id]; !there || said.Screen != w.screens[id] || said.Door != w.opened[id] ||
			shown && said.Result != Shown || said.Result == NotShown && (shown || said.Reason == "") {
			w.Fatalf("visit %s: reported %+v (%v); shown %q, door %v", id, said, there, w.screens[id], w.opened[id])
		}
	}
	if w.begun != w.ended {
		w.Fatalf("%d services, %d outcomes of services", w.begun, w.ended)
	}
}

// TestInvariantsOfServices checks the invariants from a login, or a blocked PIN, on.
// The walk of TestInvariants rarely comes so far.
func TestInvariantsOfServices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWalk(t)
		ways := []Way{AtKiosk, AtKiosk, OnPage}
		card := CardServices{Change: rapid.SampledFrom(ways).Draw(t, "change"), Unblock: rapid.SampledFrom(ways).Draw(t, "unblock"), Page: "p"}
		status := PINStatus{Max: 4, Tries: 3, TriesKnown: true}
		if rapid.Bool().Draw(t, "blocked") {
			status.Tries = 0
		}
		for _, e := range []Event{
			CardGone{}, ServicesSet{Services{ChangePIN: true, Unblock: true, Documents: true, Choices: []Choice{{"a", map[string]string{"nb": "A"}}}}},
			CardInserted{"va"}, CardRead{"va", Holder{ID: "UN:NO-x", Name: "Kari"}, status, card},
		} {
			w.happen(e)
		}
		if status.Tries > 0 {
			w.types("1111#")
			for _, e := range []Event{
				ChallengeReady{"va", w.visit.question, "nonce", 0}, PINAccepted{"va"}, Signed{"va", "nonce", []byte("token")},
			} {
				w.happen(e)
			}
			w.happen(Decided{"va", w.visit.question, Verdict{Granted: true, Holder: Holder{ID: "UN:NO-x", Name: "Kari"}, Documents: "ticket"}})
		}
		w.happen(Recorded{"va"})
		w.happen(KeyPressed{KeyOK})
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if w.visit.state == enteringPIN && rapid.IntRange(0, 3).Draw(t, "type") > 0 {
				w.types(rapid.SampledFrom([]string{"1111#", "2222#", "2222#"}).Draw(t, "code"))
				continue
			}
			w.happen(w.event())
		}
		w.ends()
		w.checkOutcomes()
	})
}

func (w *walk) types(keys string) {
	for _, k := range keys {
		w.happen(KeyPressed{Key(k)})
	}
}

// ends leaves the present state. Invariant 2: removing the card leads to idle within
// one step. Invariant 4: timeouts alone lead to idle or out of service.
func (w *walk) ends() {
	if !w.visit.cardless() && rapid.Bool().Draw(w.T, "pull") {
		w.happen(CardGone{})
		if !w.visit.outboxFailed && !w.visit.outboxFull && len(w.visit.lost) == 0 && (w.visit.state != idle || w.visit.Screen().ID != ScreenWelcome) {
			w.Fatalf("the card is gone, and the kiosk shows %v", w.visit.Screen())
		}
		w.checkWiped()
		return
	}
	for n := 0; w.visit.state != idle && w.visit.state != outOfService; n++ {
		if n > 10 {
			w.Fatalf("state %d does not end by itself", w.visit.state)
		}
		if w.visit.state == recording && rapid.Bool().Draw(w.T, "disk") {
			w.happen(Recorded{w.visit.id})
			continue
		}
		w.happen(Elapsed{TimerState, w.running[TimerState]})
	}
}

// TestInvariantsOfDocuments checks the invariants from the choice of a document on.
func TestInvariantsOfDocuments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWalk(t)
		holder := Holder{ID: "UN:NO-x", Name: "Kari"}
		for _, e := range []Event{
			CardGone{}, ServicesSet{Services{Documents: true}}, CardInserted{"va"}, CardRead{"va", holder, PINStatus{Max: 4}, CardServices{}},
		} {
			w.happen(e)
		}
		w.types("2222#")
		for _, e := range []Event{ChallengeReady{"va", w.visit.question, "nonce", 0}, PINAccepted{"va"}, Signed{"va", "nonce", []byte("token")}} {
			w.happen(e)
		}
		w.happen(Decided{"va", w.visit.question, Verdict{Granted: true, Holder: holder, Documents: "ticket"}})
		for _, e := range []Event{Recorded{"va"}, KeyPressed{KeyOK}, KeyPressed{'1'}, SignatureReady{"va", PINStatus{Max: 4, Tries: 3, TriesKnown: true}}} {
			w.happen(e)
		}
		if w.visit.state != listing {
			t.Fatalf("the choice of documents leads to state %d", w.visit.state)
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if w.visit.state == enteringPIN && rapid.IntRange(0, 3).Draw(t, "type") > 0 {
				w.types("2222#")
				continue
			}
			w.happen(w.event())
		}
		w.ends()
		w.checkOutcomes()
	})
}
