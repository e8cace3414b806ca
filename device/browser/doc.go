// Package browser shows a kiosk's panel page in Chromium, and for a login the hosted page
// of a broker.
//
// It has two sides, in two processes with different users. Run starts Chromium, controls it
// by the DevTools protocol over a pipe, and follows the tasks of kioskd. Link is kioskd's
// side: it hands out the tasks and gets the results. A Chromium that has been taken over
// thus reaches neither the kiosk's key nor its outbox, and the service manager can bound its
// memory.
//
// # The protocol between the two
//
// HTTP on the listener of the panel page, for the same users:
//
//	GET  /browser/tasks    a line of JSON for each task, without end
//	POST /browser/results  what became of a login page
//
// # Limits of a login page
//
// Two layers hold it. The managed policy of Policy, which root installs, limits Chromium
// itself: navigation to listed origins only, no downloads, printing, file pickers, new
// windows and developer tools, and local network access for the brokers' origins only. Run
// limits the page in addition: every request to an origin that is not listed fails, new
// windows are closed, dialogs are dismissed. A navigation that fails ends the login.
//
// The profile is a new, empty folder. After a login it is deleted and Chromium starts
// again, as soon as no visit is in progress; the cookies are deleted at once.
package browser
