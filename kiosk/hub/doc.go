// Package hub is the backend of the kiosks: it issues challenges, gives verdicts,
// stores events and serves them to consumers. Package hubapi describes the API; this
// package is the server behind it.
//
// A hub keeps nothing in memory that it cannot read or fetch again. All its state is
// in NATS JetStream, which by default runs inside the process and stores into a
// folder. Several hubs on one JetStream act as one hub: everything that may happen
// only once is done with compare-and-set there.
//
//	stream smartkiosk-events           smartkiosk.events.<id>.<epoch> holds the events of one kiosk as
//	                                   consumers get them; see eventlog.go for further branches of an
//	                                   epoch, and for older kiosks;
//	                                   smartkiosk.reviews.… holds the hub's reviews of them under the
//	                                   same names, and
//	                                   smartkiosk.alarms.<id> the hub's alarms about the kiosk, and
//	                                   smartkiosk.alarms._<kind> its alarms about itself;
//	                                   smartkiosk.signatures.<id> what holders decided about documents
//	stream smartkiosk-archive          smartkiosk.archive.<stream>.… holds the events whose evidence was
//	                                   deleted; <stream> is the ID of the stream of events; see archive.go
//	bucket smartkiosk-challenges       nonce → its kiosk, its expiry, whether it was spent
//	bucket smartkiosk-cursors          consumer → the last acknowledged position in the stream;
//	                                   "hub.reviews" → that of the reviews, "hub.deleted" → up
//	                                   to where old events were deleted
//	bucket smartkiosk-evidence         digest of an offline visit's nonce → its event
//	bucket smartkiosk-marks            kiosk → how many alarms there were, and the last one
//	bucket smartkiosk-revoked          certificate → an OCSP responder's report that it is revoked
//	bucket smartkiosk-holders          keyed hash of a holder's identifier → the memory-hard hash
//	                                   from which pseudonyms are made; see package hubpolicy
//	bucket smartkiosk-known            kiosk and hash of the holder → the last day on which the hub
//	                                   granted access there; used by the offline rule "known"
//	bucket smartkiosk-codes            kiosk → its one-time code, as a keyed hash
//	bucket smartkiosk-logins           logins by phone that are in progress; see package login
//	bucket smartkiosk-documents        keyed hash of a holder → documents to sign, and what was
//	                                   decided, encrypted; see package docstore
//	objects smartkiosk-document-files  the contents of the documents, encrypted
//	bucket smartkiosk-sightings        kiosk → how it was seen last, and whether two machines use its
//	                                   identity
//	bucket smartkiosk-updates          bundle's digest → the roll-out of an update; digest and kiosk →
//	                                   what the kiosk reported about it
//	bucket smartkiosk-doctor           kiosk → the operator's question what is wrong with it, and the
//	                                   kiosk's answer; for a day
//	bucket smartkiosk-identities       role and name → the certificates that hubs accept, and when the
//	                                   client was removed; the key "begun" says since when
//
// A NATS client that reads the stream directly meets two forms of message. A message
// that begins with "{" is one event: a CloudEvent in JSON. A message that begins with
// "[" holds several events of one kiosk in their order: a CloudEvents batch in JSON,
// one event per line, at most 512 KiB. Acknowledging the message acknowledges all of
// its events. The NATS servers must accept messages of that size (max_payload, by
// default 1 MiB). Messages older than the evidence is kept (90 days by default) are in
// smartkiosk-archive, with their place in the header Smartkiosk-Place. The hub moves them
// when all consumers have acknowledged them. A consumer with a NATS client cannot read them.
//
// The hub's folder, made by Init:
//
//	hub.toml                           configuration
//	ca.pem ca.key                      the hub's own CA, for itself, kiosks and consumers
//	server.pem server.key              the hub's certificate
//	seal.jwk                           private keys that open events, newest first; see package sealkey
//	sign.jwk                           private key that signs the kiosks' policies
//	trust/                             trust domains: which cards are accepted; see package trust
//	rules.toml                         who is let in, see package rules; the hub reloads it when it changes
//	brokers.toml                       logins by phone, see package broker; only if they are used
//	kiosks/ID/ consumers/NAME/         bundles to carry to a kiosk or a consumer;
//	operators/NAME/                    the same for an operator
//	removed/                           bundles of clients that were removed
//	identities.json                    a copy of the registered certificates, for a JetStream that
//	                                   was restored from an older backup
//	crls/                              the CRLs that the hub fetched last
//	nats-ca.pem nats-ca.key            the CA of a cluster of NATS servers, only with one;
//	nats.pem nats.key                  the hub's certificate for it
//	cluster/                           a folder for each node of the cluster, made by ClusterInit
//	jetstream.moved/                   the JetStream of before a move into a cluster; see Move
//	updates/                           bundles of updates, under their digests
//	jetstream/                         made by Open; nats.sock in it is how commands reach the
//	                                   JetStream of a running hub
//
// A folder from before the registry of certificates goes on to work: the first start
// registers the certificates in the bundles, and a client whose certificate was issued
// before that is registered when it connects, unless the registry knows its name.
package hub
