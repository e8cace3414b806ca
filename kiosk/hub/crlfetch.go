package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"smartkiosk/kiosk/protocol/trust"
)

// Bounds of the fetch of one CRL.
const (
	crlTimeout   = 5 * time.Minute
	maxCRLBody   = 128 << 20 // bytes
	maxRedirects = 3
)

// Waits before a CRL whose fetch failed is fetched again. They grow from the first to
// the longest, each with jitter, and never exceed the schedule's interval.
const (
	crlFirstRetry   = 10 * time.Second
	crlLongestRetry = 10 * time.Minute
)

// crlFetcher fetches the CRLs of the trust domains' crl_urls on a schedule and keeps the
// newest in memory and in a folder. Each of several hubs on one JetStream fetches its own.
type crlFetcher struct {
	trust  *Trust
	dir    string
	every  time.Duration
	limit  int64 // bytes of one CRL
	client *http.Client
	now    func() time.Time
	began  time.Time
	log    *slog.Logger
	kept   []*keptCRL // belongs to run

	mu        sync.Mutex
	change    *trustChange       // that run has not made yet
	interrupt context.CancelFunc // has run look at change; nil before run
	fetches   map[crlSource]crlFetch
}

// crlSource names a CRL.
type crlSource struct{ domain, url string }

// crlFetch is how the fetches of one CRL went since the hub's start.
type crlFetch struct {
	succeeded time.Time // last; zero if none has
	failures  int       // since then
}

// note remembers how a fetch ended.
func (f *crlFetcher) note(k *keptCRL, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := f.fetches[crlSource{k.Domain, k.URL}]
	if last.failures++; err == nil {
		last = crlFetch{succeeded: f.now()}
	}
	f.fetches[crlSource{k.Domain, k.URL}] = last
}

// all returns how the fetches of each CRL went.
func (f *crlFetcher) all() map[crlSource]crlFetch {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.fetches)
}

// overdue reports whether a CRL was not fetched in time for two intervals of the schedule.
func (f *crlFetcher) overdue() bool {
	for _, last := range f.all() {
		since := last.succeeded
		if since.Before(f.began) {
			since = f.began
		}
		if last.failures > 0 && f.now().Sub(since) > 2*f.every {
			return true
		}
	}
	return false
}

// keptCRL is the newest CRL of a source, with the validators for a conditional request.
type keptCRL struct {
	trust.Source `json:"-"`
	crl          *trust.CRL // nil before the first one was fetched

	URL          string `json:"url"` // for a person who looks into the folder
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
}

// newCRLFetcher makes a fetcher and uses the CRLs that the folder holds.
func newCRLFetcher(t *Trust, dir string, every time.Duration, transport http.RoundTripper, now func() time.Time, log *slog.Logger) (*crlFetcher, error) {
	f := &crlFetcher{trust: t, dir: dir, every: every, limit: maxCRLBody, now: now, log: log, client: &http.Client{
		Transport: transport, Timeout: crlTimeout,
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("more than %d redirects", maxRedirects)
			}
			return nil
		},
	}}
	f.began = now()
	f.removeLeavings()
	return f, f.useDomains(t.files)
}

// trustChange has run fetch the CRLs of other trust domains.
type trustChange struct {
	domains *trust.Domains
	done    chan error
}

// follow replaces the trust domains, and fetches their CRLs from now on.
func (f *crlFetcher) follow(ctx context.Context, domains *trust.Domains) error {
	change := trustChange{domains, make(chan error, 1)}
	f.mu.Lock()
	f.change = &change
	if f.interrupt != nil {
		f.interrupt()
	}
	f.mu.Unlock()
	select {
	case err := <-change.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// useDomains replaces the trust domains, with the CRLs that the folder has for them.
func (f *crlFetcher) useDomains(domains *trust.Domains) error {
	var kept []*keptCRL
	fetches := map[crlSource]crlFetch{}
	for _, s := range domains.Sources() {
		kept = append(kept, f.read(s))
		fetches[crlSource{s.Domain, s.URL}] = f.last(s)
	}
	if err := f.trust.replace(domains, crlsOf(kept)); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept, f.fetches = kept, fetches
	return nil
}

// last returns how the fetches of a source went.
func (f *crlFetcher) last(s trust.Source) crlFetch {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fetches[crlSource{s.Domain, s.URL}]
}

// any reports whether the hub fetches CRLs.
func (f *crlFetcher) any() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.kept) > 0
}

// unfinishedCRL matches the files of fetches that are under way.
const unfinishedCRL = ".new-*"

// removeLeavings removes what fetches left when the hub was killed.
func (f *crlFetcher) removeLeavings() {
	left, _ := filepath.Glob(filepath.Join(f.dir, unfinishedCRL))
	for _, file := range left {
		if err := os.Remove(file); err != nil {
			f.log.Warn("cannot remove an unfinished CRL", "file", file, "err", err)
		}
	}
}

// read reads a source's CRL from the folder. A damaged CRL counts as missing, so that it
// is fetched again.
func (f *crlFetcher) read(s trust.Source) *keptCRL {
	fresh := &keptCRL{Source: s, URL: s.URL}
	file, err := os.Open(f.path(s, ".crl"))
	if err != nil {
		return fresh
	}
	defer file.Close()
	k := &keptCRL{Source: s}
	if k.crl, err = trust.ReadCRL(file, s.Issuers); err != nil {
		f.log.Warn("cannot use a stored CRL", "url", s.URL, "err", err)
		return fresh
	}
	if text, err := os.ReadFile(f.path(s, ".json")); err == nil {
		_ = json.Unmarshal(text, k) // without it the next request is unconditional
	}
	k.URL = s.URL
	return k
}

func (f *crlFetcher) path(s trust.Source, suffix string) string {
	sum := sha256.Sum256([]byte(s.Domain + "\n" + s.URL))
	return filepath.Join(f.dir, hex.EncodeToString(sum[:8])+suffix)
}

// run fetches at once and then at every interval, until ctx ends. It fetches a CRL again
// soon after a failure, and begins again when the trust domains have changed.
func (f *crlFetcher) run(ctx context.Context) {
	for ctx.Err() == nil {
		same, interrupt := context.WithCancel(ctx)
		f.mu.Lock()
		change := f.change
		f.change, f.interrupt = nil, interrupt
		f.mu.Unlock()
		if change != nil {
			change.done <- f.useDomains(change.domains)
		}
		f.runWith(same)
		interrupt()
	}
}

// runWith is run with the same trust domains.
func (f *crlFetcher) runWith(ctx context.Context) {
	retries := backoff.NewExponentialBackOff()
	retries.InitialInterval, retries.MaxInterval = crlFirstRetry, crlLongestRetry
	due, next := f.kept, time.Now().Add(f.every)
	for {
		failed := f.refresh(ctx, due)
		pause := time.Until(next)
		if len(failed) == 0 {
			retries.Reset()
		} else {
			pause = min(pause, retries.NextBackOff())
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		if due = failed; !time.Now().Before(next) {
			due, next = f.kept, next.Add(f.every)
		}
	}
}

// refresh requests each CRL in due once and returns those that it could not fetch. After
// an error the hub goes on with the CRL that it has, for as long as that one is valid.
func (f *crlFetcher) refresh(ctx context.Context, due []*keptCRL) (failed []*keptCRL) {
	changed := false
	for _, k := range due {
		news, err := f.fetch(ctx, k)
		if ctx.Err() != nil {
			return nil
		}
		f.note(k, err)
		switch {
		case err != nil:
			failed = append(failed, k)
			f.log.Warn("cannot fetch CRL", "domain", k.Domain, "url", k.URL, "this_update", k.thisUpdate(), "err", err)
		case news:
			changed = true
			f.log.Info("CRL fetched", "domain", k.Domain, "url", k.URL, "entries", k.crl.Len(), "this_update", k.crl.ThisUpdate)
		}
	}
	if !changed {
		return failed
	}
	if err := f.renew(); err != nil {
		f.log.Error("cannot use fetched CRLs", "err", err)
	}
	return failed
}

// thisUpdate returns when the CRL that the hub has was issued, zero when it has none.
func (k *keptCRL) thisUpdate() time.Time {
	if k.crl == nil {
		return time.Time{}
	}
	return k.crl.ThisUpdate
}

func (f *crlFetcher) renew() error { return f.trust.renew(crlsOf(f.kept)) }

// crlsOf returns the CRLs by their domain.
func crlsOf(kept []*keptCRL) map[string][]*trust.CRL {
	fetched := map[string][]*trust.CRL{}
	for _, k := range kept {
		if k.crl != nil {
			fetched[k.Domain] = append(fetched[k.Domain], k.crl)
		}
	}
	return fetched
}

// fetch requests one CRL. It reports whether the CRL is a new one.
func (f *crlFetcher) fetch(ctx context.Context, k *keptCRL) (news bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.URL, nil)
	if err != nil {
		return false, err
	}
	if k.crl != nil {
		if k.ETag != "" {
			request.Header.Set("If-None-Match", k.ETag)
		}
		if k.LastModified != "" {
			request.Header.Set("If-Modified-Since", k.LastModified)
		}
	}
	response, err := f.client.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusNotModified && k.crl != nil:
		return false, nil
	case response.StatusCode != http.StatusOK:
		return false, fmt.Errorf("the server answered %s", response.Status)
	}
	return f.store(k, response)
}

// store reads a CRL from a response. It writes the CRL to a file first, so that it need
// not hold the text in memory and has the CRL after a restart.
func (f *crlFetcher) store(k *keptCRL, response *http.Response) (news bool, err error) {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return false, err
	}
	file, err := os.CreateTemp(f.dir, unfinishedCRL)
	if err != nil {
		return false, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	n, err := io.Copy(file, io.LimitReader(response.Body, f.limit+1))
	if err != nil {
		return false, err
	}
	if n > f.limit {
		return false, fmt.Errorf("the CRL has more than %d bytes", f.limit)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	crl, err := trust.ReadCRL(file, k.Issuers)
	switch {
	case err != nil:
		return false, err
	case k.crl != nil && crl.Before(k.crl):
		return false, errors.New("the CRL is older than the one that the hub has")
	case crl.ThisUpdate.After(f.now().Add(trust.DefaultSkew)):
		return false, fmt.Errorf("the CRL's thisUpdate %s is in the future", crl.ThisUpdate.Format(time.RFC3339))
	}
	news = k.crl == nil || k.crl.Before(crl)
	next := keptCRL{Source: k.Source, crl: crl, URL: k.URL, ETag: response.Header.Get("ETag"), LastModified: response.Header.Get("Last-Modified")}
	text, err := json.Marshal(next)
	if err != nil {
		return false, err
	}
	if err := errors.Join(file.Sync(), os.Rename(file.Name(), f.path(k.Source, ".crl")), os.WriteFile(f.path(k.Source, ".json"), text, 0o600)); err != nil {
		return false, err
	}
	*k = next
	return news, nil
}
