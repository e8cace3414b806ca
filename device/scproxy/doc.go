// Package scproxy is the local service by which a bank's or Buypass' login
// page, in a browser on this machine, reaches the card: what Javafri/SCProxy is
// on Windows and macOS, where alone the original exists. Whoever runs it
// decides that a web page may speak to the card; nothing here starts by itself.
//
// # Protocol
//
// HTTPS on Address, POST, JSON both ways (source: what three open programs do
// that log in with real cards, wvengen/scproxy, magnuswatn/scproxy and
// leakingmemory/nnscproxy; nothing is published by Buypass):
//
//	/scard/version/       → {"version":"1.5.2"}
//	/scard/list/          → {"readers":[{"name":N,"cardstatus":S}],"errorcode":0,"errordetail":0}
//	/scard/getref/        → {"ref":R,"data":"16 random bytes, hex"}
//	/scard/apdu/N         {"timeout":T,"session":"…","apducommands":[{"apdu":"hex"}]}
//	                      → {"apduresponses":[{"apdu":"hex, status bytes included"}],"errorcode":0,"errordetail":0}
//	/scard/disconnect/    {"session":"…"} → 200
//
// Status S is 302 for a card, 303 for none (another of those programs says 301)
// and 304 for one that does not answer. What waits behind 61xx is fetched here,
// and a command refused with 6Cxx is sent again, as apdu.Exchange does; of a
// command that brings data and asks for some, T=0 carries no Le. A card that does
// not answer gives errordetail -3 after the responses that came. Unit and
// meaning of timeout are not known; each request ends within maxRequest whatever
// it says.
//
// The first command of a session claims the card, and no other session, nor
// anybody else on this machine, has it until the session ends: by disconnect,
// by another session's first command, by removal of the card, or 10 seconds
// after its last command. Then the card is reset.
//
// # PINs
//
// A PIN comes in a packet of its own, scrambled with the data of a ref:
//
//	FF FF 01 04 | ref (4) | length of cmd | length of PIN | cmd | scrambled PIN | rest
//
// with pin[i] ^= data[i] ^ data[i+length]; what the card gets is cmd | PIN |
// rest. A ref is good for one packet, and for two minutes. In the clear it stands in the one buffer that goes to the card, which
// is wiped, like the ref's data and the request's body, when it is not needed
// any more. It is never logged and never a string. (The buffers of TLS and of
// the network have the scrambled PIN and the data; that is the protocol's
// weakness, and the browser, which has the PIN in the clear, is nearer.)
//
// # Who may speak
//
// Pages of https://secure.buypass.no and https://secure.X.buypass.no, X being
// one label, by the Origin header that browsers send and pages cannot forge;
// everybody else gets 403, a preflight (CORS, Private Network Access)
// included. The Host must be this machine, so that no name that an attacker
// lets point here does (DNS rebinding).
//
// # What a page may never send
//
// Commands in any class, checked for the whole request before its first one is
// sent; 403. What the login of Buypass sends is not public, so that this is a
// list of what is refused, not of what is let through:
//
//	class FF                     commands to the reader; the PIN packet is none
//	logical channels but 0       by CLA; what another program opened there is not the page's
//	20 21    VERIFY              with data outside of a PIN packet: a PIN in the clear, or one guessed
//	24 25    CHANGE REFERENCE DATA
//	2C 2D    RESET RETRY COUNTER the PIN belongs to the holder, who changes it at the kiosk
//	26 28    DISABLE, ENABLE VERIFICATION REQUIREMENT
//	46 47    GENERATE ASYMMETRIC KEY PAIR
//	70       MANAGE CHANNEL      a second way in past the session
//	82       EXTERNAL, MUTUAL AUTHENTICATE: tries of keys that are not the holder's
//	C2 C3    ENVELOPE            any other command, unseen
//	04 44    DEACTIVATE, ACTIVATE FILE
//	0C 0E 0F ERASE               what is on the card stays as it is
//	D0 D1 D2 WRITE
//	D6 D7 DC DD UPDATE
//	DA DB D8 PUT DATA, PUT KEY
//	E0 E2 E4 CREATE FILE, APPEND RECORD (STORE DATA), DELETE FILE
//	E6 E8 FE F0 TERMINATE, INSTALL, LOAD, SET STATUS
//
// (ISO 7816-4, -8 and -9; GlobalPlatform Card Specification 2.3, chapter 11.)
//
// # What the browser has to trust
//
// The certificate that Certificate makes at the first start: self-signed, for
// 127.0.0.1 and localhost, of a key that signs nothing else and is no
// authority. The copy scproxy.crt is for the browser: in Chromium as a trusted
// server,
//
//	certutil -d sql:$HOME/.pki/nssdb -A -t "P,," -n scproxy -i scproxy.crt
//
// in Firefox as a server exception. Chromium from version 142 asks the person
// before a page reaches this machine (Local Network Access, which took the
// place of Private Network Access); the policy LocalNetworkAccessAllowedForUrls
// answers for a kiosk, where nobody could. A page also has to believe that it runs on
// Windows or macOS: the login asks for the user agent.
package scproxy
