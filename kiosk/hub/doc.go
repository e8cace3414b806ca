// Package hub is the backend of the kiosks: it hands out challenges, gives
// verdicts, takes in events and lets consumers pull them. The API is
// kiosk/hubapi's; this package is the server behind it.
//
// A hub keeps nothing in memory but what it can read or fetch anew. All its
// state is in NATS JetStream, which by default runs inside the process, in a folder. Several hubs on one JetStream
// are one hub: what must happen once happens by compare-and-set there.
//
//	stream smartkiosk-events           one subject per kiosk, smartkiosk.events.<id>, with its events
//	                                   as consumers get them, and where its chain goes on behind
//	                                   events that it has lost itself; smartkiosk.reviews.<id> has
//	                                   what this hub thinks of them
//	bucket smartkiosk-challenges       nonce → whose, until when, whether spent
//	bucket smartkiosk-cursors          consumer → the last acknowledged position in the stream
//	bucket smartkiosk-known            kiosk and pseudonym → the day of whom the hub let in there,
//	                                   with the offline rule "known"
//
// Who reads the stream with a NATS client of their own finds two forms of
// message. One that begins with "{" is one event, a CloudEvent in JSON. One that
// begins with "[" holds several, in their order, which a kiosk handed over at
// once: a CloudEvents batch in JSON, an event a line, of at most 512 KiB. To
// acknowledge the message is to acknowledge them all. The servers must take
// messages of that size (max_payload, which is 1 MiB unless set otherwise).
//
// The hub's folder, made by Init:
//
//	hub.toml                           configuration
//	ca.pem ca.key                      the hub's own CA, for itself, kiosks and consumers
//	server.pem server.key              the hub's certificate
//	seal.jwk                           private keys that open events, newest first; see kiosk/sealkey
//	sign.jwk                           private key that signs the kiosks' policies
//	trust/                             whose cards count, see kiosk/trust; filled by the operator
//	rules.toml                         who is let in, see kiosk/rules; read anew when it changes
//	kiosks/ID/ consumers/NAME/         bundles to carry to a kiosk or a consumer
//	crls/                              CRLs as they were fetched
//	jetstream/                         made by Open
package hub
