// Package scproxy is the local service through which a login page of Buypass, in
// a browser on this machine, reaches the card. Buypass' own program for this,
// Javafri or SCProxy, exists for Windows and macOS only. The operator decides
// whether web pages may speak to the card: nothing here starts by itself.
//
// # Protocol
//
// HTTPS on Address, POST, JSON in both directions. Buypass publishes nothing about
// it. The source is three open programs that log in with real cards:
// magnuswatn/scproxy, wvengen/scproxy and leakingmemory/nnscproxy.
//
//	/scard/version/       → {"version":"1.5.2"}
//	/scard/list/          → {"readers":[{"name":N,"cardstatus":S}],"errorcode":0,"errordetail":0}
//	/scard/getref/        → {"ref":R,"data":"16 random bytes, hex"}
//	/scard/apdu/N         {"timeout":T,"session":"…","apducommands":[{"apdu":"hex"}]}
//	                      → {"apduresponses":[{"apdu":"hex, with the status bytes"}],"errorcode":0,"errordetail":D}
//	/scard/disconnect/    {"session":"…"} → 200
//
// S is 302 for a card, 303 for an empty reader and 304 for a card that does not
// answer. The service fetches the data behind 61xx and repeats a command after
// 6Cxx, as apdu.Exchange does. For a card with T=0 it removes Le from a command
// that has data.
//
// The first command of a session claims the card. No other session and no other
// program on this machine has it until the session ends: by disconnect, by the
// first command of another session, by the removal of the card, or 10 seconds
// after its last command. The service then resets the card. Uses tells the kiosk
// whether a page waits for a card, so that the card begins no visit there. A visit that
// has begun before yields the card when a page asks for the readers, unless the holder
// has typed a digit or the reader itself asks for the PIN. The page then finds the card
// in the list.
//
// # Where the open programs differ
//
// They differ from each other, and real logins work with all of them. This is what
// the service does at each point:
//
//	errordetail with a status word other than 9000
//	    magnuswatn -3, wvengen and nnscproxy 0; here 0.
//	    The status word says what the card refused; the page needs it for a wrong PIN.
//	errordetail when the card does not answer
//	    magnuswatn -3, nnscproxy 0, wvengen closes the connection; here -3.
//	    No status word could say it.
//	responses when the card does not answer
//	    magnuswatn and nnscproxy "" for each such command; here the same, also for the
//	    commands after it, which are not sent. A page finds each response at its
//	    command's index.
//	card gone when the session opens
//	    magnuswatn 500 without a body, nnscproxy 200 with "", wvengen closes the
//	    connection; here 200 with "" for each command and -3.
//	    The page can then ask for the card, as when it is removed in a session.
//	card in use by a visit at the kiosk
//	    magnuswatn 304 in the list, then 500; here 304, then 503 with the reason as text,
//	    if the visit does not yield the card.
//	    The card works, but not for this page.
//	list during a session
//	    magnuswatn 304, because it cannot open the card a second time; wvengen and
//	    nnscproxy 302; here 302. The page's own session does not make its card faulty.
//	list after the card is removed
//	    magnuswatn 303, or 304 just after the removal; wvengen says that Buypass
//	    expects 301 but answers 302 as nnscproxy does; here 303.
//	    303 is what the only program that looks at the reader answers.
//	several readers
//	    All list all readers; here only the reader that the kiosk's slot is at.
//	    A page must not reach a card that the kiosk does not watch over.
//	reader's name in a session
//	    magnuswatn opens another session for another name, wvengen ignores the name
//	    after the first command; here 400, and the session continues.
//	    A command never reaches another card than the page named.
//	end of a session without disconnect
//	    magnuswatn 10 s after its first command, the others never; here 10 s after its
//	    last command. A holder who types slowly keeps the session while the page works.
//	disconnect of an unknown session
//	    wvengen 404, the others 200; here 200. The page wanted it closed, and it is.
//	preflight
//	    magnuswatn and wvengen 200; here 200. Fetch accepts 204 too, but no program that
//	    is known to work sends it.
//	CHANGE REFERENCE DATA and RESET RETRY COUNTER
//	    All send what the page says; here only in a PIN packet.
//	    Buypass' page for a new PIN may use them. In the clear they would expose the PIN.
//	timeout
//	    magnuswatn refuses a string, the others ignore it; here ignored in every form.
//	    Its unit is not known; each request ends within maxRequest.
//
// # PINs
//
// A PIN comes in a packet of its own, scrambled with the data of a ref:
//
//	FF FF 01 04 | ref (4) | length of cmd | length of PIN | cmd | scrambled PIN | rest
//
// with pin[i] ^= data[i] ^ data[i+length]. The card receives cmd | PIN | rest. cmd
// is the header with Lc, and may hold the beginning of the data, such as the old
// PIN's place in CHANGE REFERENCE DATA. A ref is valid for one packet and for two
// minutes. The unscrambled PIN is only in the one buffer that goes to the card. The
// service wipes this buffer, the ref's data and the request's body after use. It
// never logs a PIN and never makes a string of it. The buffers of TLS and of the
// network contain the scrambled PIN and the data, which is a weakness of the
// protocol. The browser, which has the PIN in the clear, is the easier target.
//
// # Origins
//
// The service serves pages of https://secure.buypass.no and
// https://secure.X.buypass.no, where X is one label. It trusts the Origin header,
// which browsers send and pages cannot forge. Any other page gets 403, also for a
// preflight (CORS, Private Network Access). The Host header must name this machine,
// which excludes names that an attacker's DNS server resolves to it (DNS rebinding).
//
// # Refused commands
//
// The service checks all commands of a request before it sends the first one, and
// answers 403 if one is refused. The commands of Buypass' login are not public, so
// the list says what is refused, not what is allowed:
//
//	class FF                     commands to the reader, except the PIN packet
//	logical channels other than 0, and MANAGE CHANNEL; see usesChannel
//	20 21    VERIFY              with data outside a PIN packet: a PIN in the clear
//	24 25    CHANGE REFERENCE DATA   24 only in a PIN packet
//	2C 2D    RESET RETRY COUNTER     2C only in a PIN packet
//	26 28    DISABLE, ENABLE VERIFICATION REQUIREMENT
//	46 47    GENERATE ASYMMETRIC KEY PAIR
//	70       MANAGE CHANNEL      commands in another channel would bypass the session
//	82       EXTERNAL, MUTUAL AUTHENTICATE: spend tries of keys that are not the holder's
//	C2 C3    ENVELOPE            hides any other command
//	04 44    DEACTIVATE, ACTIVATE FILE
//	0C 0E 0F ERASE               and all that follows: they change the card
//	D0 D1 D2 WRITE
//	D6 D7 DC DD UPDATE
//	DA DB D8 PUT DATA, PUT KEY
//	E0 E2 E4 CREATE FILE, APPEND RECORD (STORE DATA), DELETE FILE
//	E6 E8 FE F0 TERMINATE, INSTALL, LOAD, SET STATUS
//
// (ISO 7816-4, -8 and -9; GlobalPlatform Card Specification 2.3, chapter 11.)
//
// # Certificate
//
// Certificate makes the service's certificate at the first start, for 127.0.0.1 and
// localhost, and the CA that issued it. That CA can vouch for no other name, and its key is
// forgotten. The browser has to trust the CA, scproxy.crt. A Chromium that kioskd controls
// does so by its policy (package device/browser). In any other one it is added by
//
//	certutil -d sql:$HOME/.pki/nssdb -A -t "C,," -n scproxy -i scproxy.crt
//
// in Firefox as a CA. Chromium from version 142 asks the person before
// a page reaches this machine (Local Network Access, which replaced Private Network
// Access). On a kiosk the policy LoopbackNetworkAllowedForUrls answers instead. The
// page also checks the user agent: it must name Windows or macOS.
package scproxy
