// Package est is the part of Enrolment over Secure Transport (RFC 7030) that the hub and
// its clients share: the one-time codes, the bodies, and a client. The server is in
// kiosk/hub.
//
//	GET  /.well-known/est/cacerts         the hub's CA
//	POST /.well-known/est/simpleenroll    a certificate for a kiosk's name and one-time code
//	POST /.well-known/est/simplereenroll  a certificate for the client of this connection
//
// The first two need no client certificate. A client authenticates to simpleenroll with
// HTTP Basic authentication: its user name is the kiosk's, its password the secret part of
// the code (RFC 7030 §3.2.3). Any EST client can therefore enrol, for example curl with
// openssl. CSR attributes, server-side keys and full CMC requests are optional in the
// standard and not offered. The hub never sees a private key.
//
// github.com/globalsign/est v1.0.6 is not used, for these reasons: it imports the package
// tpm2 of go-tpm 0.3, which go-tpm 0.9 (that device/tpmkey needs) has replaced by one with
// another API, so the two do not build together; its decoder is go.mozilla.org/pkcs7 of
// 2020, which is no longer maintained and accepts BER; and its server has a router, a rate
// limiter and log formats of its own.
package est
