package kiosk

import (
	"reflect"
	"time"

	"pgregory.net/rapid"
)

// event draws the next event: mostly one that the state waits for, often any other
// event, sometimes an answer for a visit that has ended.
func (w *walk) event() Event {
	id := w.visit.id
	if len(w.started) > 0 && rapid.IntRange(0, 9).Draw(w.T, "stale") == 0 {
		id = rapid.SampledFrom(w.started).Draw(w.T, "visit")
	}
	q := w.visit.question
	if rapid.IntRange(0, 9).Draw(w.T, "late answer") == 0 {
		q -= rapid.IntRange(1, 3).Draw(w.T, "questions ago")
	}
	holder := Holder{ID: "UN:NO-x", Name: "Kari"}
	tries := rapid.IntRange(0, 3).Draw(w.T, "tries")
	status := PINStatus{Tries: tries, TriesKnown: rapid.Bool().Draw(w.T, "known"), OnReader: rapid.Bool().Draw(w.T, "on reader")}
	digit := Key('0' + rapid.IntRange(0, 9).Draw(w.T, "digit"))
	fresh := name("v", len(w.started))
	part := rapid.SampledFrom([]Part{Display, Keypad, Door}).Draw(w.T, "part")
	services := ServicesSet{Services{
		ChangePIN: rapid.Bool().Draw(w.T, "change"), Unblock: rapid.Bool().Draw(w.T, "unblock"), Documents: rapid.Bool().Draw(w.T, "documents"),
		Choices: []Choice{{"a", map[string]string{"nb": "A"}}, {"b", map[string]string{"nb": "B"}}}[:rapid.IntRange(0, 2).Draw(w.T, "choices")],
	}}
	services.Services.Phone = rapid.SampledFrom([]Environment{"", Sandbox, Production, Production}).Draw(w.T, "phone")
	sandbox, wrong := rapid.IntRange(0, 3).Draw(w.T, "sandbox") == 0, rapid.IntRange(0, 2).Draw(w.T, "wrong")
	outcome := rapid.SampledFrom([]Outcome{Granted, Granted, Denied, Cancelled, TimedOut, Failed, ""}).Draw(w.T, "outcome")
	login := func(state PhoneState) Event {
		l := PhoneLogin{ID: "l", State: state, Link: "HTTPS://X/ABCDEF", Sandbox: sandbox, Within: time.Minute, Wrong: wrong}
		if state == PhoneEnded {
			if l.Outcome, l.Reason = outcome, LoginExpired; outcome == Granted {
				l.Reason, l.Holder = "", holder
			}
		}
		return LoginChanged{id, q, l}
	}
	phone := Event(KeyPressed{KeyPhone})
	if w.visit.BeginsLogin(KeyPhone) {
		phone = LoginWanted{fresh}
	}
	hosted := Event(KeyPressed{KeyHosted})
	if w.visit.BeginsHosted(KeyHosted) {
		hosted = HostedWanted{fresh}
	}
	ways := []Way{NoWay, AtKiosk, OnPage}
	card := CardServices{Change: rapid.SampledFrom(ways).Draw(w.T, "change by"), Unblock: rapid.SampledFrom(ways).Draw(w.T, "unblock by"), Page: "p"}
	info := []DocumentInfo{{ID: "d", Title: "D"}, {ID: "e", Title: "E"}, {ID: "f", Title: "F"}}[:rapid.IntRange(0, 3).Draw(w.T, "listed")]
	pages := []string{"a", "b", "c"}[:rapid.IntRange(0, 3).Draw(w.T, "pages")]
	digits := KeyPressed{'1'} // the same often, so that a new PIN is repeated
	expected := map[state][]Event{
		outOfService:      {CardGone{}, CardInserted{fresh}, Recorded{id}, RoomAgain{}, PartFound{Display}, PartFound{Keypad}, PartFound{Door}},
		idle:              {CardInserted{fresh}, CardInserted{fresh}, CardGone{}, KeyPressed{KeyLanguage}, KeyPressed{KeyPrivacy}, CardClaimed{}, CardReturned{}, CardUnused{fresh}, services, phone, hosted, hosted, HostedSet{true}},
		reading:           {CardWanted{}, CardRead{id, holder, PINStatus{Max: 4, Tries: 3, TriesKnown: true}, card}, CardRead{id, holder, PINStatus{}, card}, CardRead{id, holder, PINStatus{OnReader: true}, card}, CardRead{id, holder, status, card}},
		enteringPIN:       {CardWanted{}, digits, digits, digits, digits, KeyPressed{digit}, KeyPressed{digit}, KeyPressed{KeyOK}, KeyPressed{KeyOK}, ChallengeReady{id, q, "nonce", 0}},
		choosing:          {KeyPressed{'1'}, KeyPressed{'2'}, KeyPressed{'3'}, KeyPressed{digit}, KeyPressed{KeyOK}, KeyPressed{KeyCorrect}},
		changing:          {PINChanged{id}, PINRejected{id, status}, CardFailed{id, CardUnreadable}},
		referring:         {KeyPressed{KeyOK}, KeyPressed{KeyCorrect}},
		preparing:         {SignatureReady{id, PINStatus{Max: 4}}, SignatureReady{id, PINStatus{Max: 4}}, SignatureReady{id, status}, CardFailed{id, NoSignKey}},
		listing:           {DocumentsListed{id, q, info}, DocumentsListed{id, q, info}, DocumentFailed{id, q, DocumentGone}, HubUnreachable{id, q}, HubFailed{id, q, HubSilent}},
		fetching:          {DocumentReady{id, q, pages}, DocumentReady{id, q, []string{"a"}}, DocumentFailed{id, q, DocumentGone}, HubUnreachable{id, q}, HubFailed{id, q, HubSilent}},
		choosingDocument:  {KeyPressed{'1'}, KeyPressed{'2'}, KeyPressed{digit}, KeyPressed{KeyOK}, KeyPressed{KeyCorrect}},
		readingDocument:   {KeyPressed{KeyOK}, KeyPressed{KeyOK}, KeyPressed{KeyOK}, KeyPressed{'1'}, KeyPressed{'1'}, KeyPressed{'2'}, KeyPressed{'0'}, KeyPressed{KeyCorrect}},
		signingDocument:   {DocumentSigned{id, []byte("signature")}, PINRejected{id, status}, CardFailed{id, CardUnreadable}},
		handingIn:         {HandedIn{id, q}, HandedIn{id, q}, DocumentFailed{id, q, SignatureRefused}, HubUnreachable{id, q}, HubFailed{id, q, HubSilent}},
		enteringOnReader:  {PINAccepted{id}, PINRejected{id, status}, PadMistyped{id}, PadRefused{id}, PadCancelled{id}, PadTimedOut{id}, ChallengeReady{id, q, "nonce", 0}, HubUnreachable{id, q}},
		verifying:         {PINAccepted{id}, PINRejected{id, status}, HubUnreachable{id, q}},
		awaitingChallenge: {ChallengeReady{id, q, "nonce", 0}, HubUnreachable{id, q}},
		signing:           {Signed{id, "nonce", []byte("token")}},
		authenticating:    {Decided{id, q, Verdict{Granted: true, Holder: holder, Documents: "ticket"}}, HubUnreachable{id, q}, HubFailed{id, q, HubSilent}},
		decidingOffline:   {Decided{id, q, Verdict{Reason: OfflineNever, Offline: true}}},
		beginningLogin:    {login(PhoneWaiting), login(PhoneWaiting), HubUnreachable{id, q}, HubFailed{id, q, HubRefused}},
		waitingForPhone:   {login(PhoneOpened), login(PhoneOpened), login(PhoneEnded), KeyPressed{KeyOK}, KeyPressed{KeyCorrect}},
		phoneOpened:       {login(PhoneAnswering), login(PhoneDigits), login(PhoneDigits), login(PhoneEnded), KeyPressed{KeyCorrect}},
		enteringDigits:    {KeyPressed{digit}, KeyPressed{digit}, KeyPressed{digit}, KeyPressed{digit}, KeyPressed{KeyOK}, login(PhoneEnded)},
		openingHosted:     {login(PhoneOpened), login(PhoneOpened), login(PhoneEnded), HostedFailed{id, q, BrokerDown}, CardInserted{fresh}},
		atHosted:          {login(PhoneAnswering), login(PhoneAnswering), CardInserted{fresh}, CardClaimed{}, KeyPressed{digit}, KeyPressed{KeyCorrect}, KeyPressed{KeyCorrect}, KeyPressed{KeyOK}, HostedFailed{id, q, PageRefused}},
		checkingLogin:     {login(PhoneDigits), login(PhoneEnded), login(PhoneEnded), HubUnreachable{id, q}},
		recording:         {Recorded{id}},
		showing:           {CardGone{}, KeyPressed{KeyOK}, KeyPressed{KeyOK}, Elapsed{TimerState, w.running[TimerState]}},
	}
	if rapid.IntRange(0, 9).Draw(w.T, "expected") < 7 {
		return rapid.SampledFrom(expected[w.visit.state]).Draw(w.T, "event")
	}
	timer := rapid.SampledFrom([]Timer{TimerState, TimerVisit, TimerChallenge}).Draw(w.T, "timer")
	serial := w.running[timer]
	if rapid.IntRange(0, 4).Draw(w.T, "late") == 0 {
		serial--
	}
	return rapid.SampledFrom([]Event{
		CardGone{}, ReaderGone{}, ReaderGone{"Twin", "Other"}, CardInserted{fresh}, CardSilent{fresh}, CardClaimed{}, CardWanted{}, CardReturned{}, CardUnused{fresh}, RecordingBegins{}, RecordingEnds{},
		KeyPressed{KeyCorrect}, KeyPressed{KeyOK}, KeyPressed{digit}, KeyPressed{KeyLanguage}, KeyPressed{KeyRepeat}, KeyPressed{KeyVolume},
		Elapsed{timer, serial}, Elapsed{timer, serial}, Elapsed{timer, serial},
		CardRead{id, holder, status, card}, CardRefused{id, Expired, holder}, CardFailed{id, CardUnreadable},
		HostedSet{digit > '0'}, hosted, HostedFailed{id, q, BrowserLost}, services, PINChanged{id}, phone, login(PhoneWaiting), login(PhoneDigits), login(PhoneEnded),
		SignatureReady{id, status}, DocumentsListed{id, q, info}, DocumentReady{id, q, pages}, DocumentFailed{id, q, DocumentGone}, DocumentSigned{id, []byte("signature")}, HandedIn{id, q},
		PINAccepted{id}, PINRejected{id, status}, PadCancelled{id}, PadTimedOut{id}, PadMistyped{id}, PadRefused{id}, Signed{id, "nonce", []byte("token")},
		ChallengeReady{id, q, "nonce", 0}, HubUnreachable{id, q}, HubFailed{id, q, HubRefused}, Decided{id, q, Verdict{Granted: true}},
		Recorded{id}, RecordFailed{id}, RoomEnds{}, RoomAgain{},
		PartLost{part}, PartFound{part}, PartFound{part},
	}).Draw(w.T, "event")
}

func (w *walk) happen(e Event) {
	switch e := e.(type) {
	case PINAccepted, PINRejected, PadCancelled, PadTimedOut, PadMistyped, PadRefused, CardFailed:
		// The reader has answered, unless the answer is for a visit that has ended.
		w.onPad = w.onPad && reflect.ValueOf(e).Field(0).String() != w.visit.id
	case KeyPressed:
		if (w.visit.state == enteringPIN || w.visit.state == enteringDigits || w.visit.state == atHosted) && e.Key.IsDigit() {
			w.typed = append(w.typed, byte(e.Key))
		} else {
			w.typed = nil
		}
	case HubUnreachable:
		w.offline[e.Visit] = w.offline[e.Visit] || e.Question == w.visit.question
	case Recorded:
		// A record can be on disk only if it was requested.
		if w.records[e.Visit] == 0 || e.Visit != w.visit.id && w.durable[e.Visit] {
			return
		}
		w.durable[e.Visit] = true
	case RecordFailed:
		if w.records[e.Visit] == 0 || w.durable[e.Visit] {
			return
		}
	case Elapsed:
		if e.Serial == w.running[e.Timer] {
			delete(w.running, e.Timer)
		}
	}
	w.step(e)
}
