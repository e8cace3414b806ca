package hub

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

var longAbuse = flag.Bool("abuse", false, "run TestAbuse for a minute, and check the times too (make abuse)")

// serveLimited runs a hub's own Serve, with its limits, and a log.
func (b *bed) serveLimited(log io.Writer) (url string, h *Hub) {
	b.t.Helper()
	h = b.open()
	h.log = slog.New(slog.NewTextHandler(log, nil))
	h.abuse.log = h.log
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(ctx, ln) }()
	b.t.Cleanup(func() { cancel(); <-ended })
	return "https://" + ln.Addr().String(), h
}

// flood runs work in n goroutines, again and again until ctx ends, and counts in attempts.
func flood(ctx context.Context, running *sync.WaitGroup, attempts *atomic.Int64, n int, work func(ctx context.Context)) {
	for range n {
		running.Go(func() {
			for ctx.Err() == nil {
				work(ctx)
				attempts.Add(1)
				<-time.After(20 * time.Millisecond) // a faster client is only busier with itself
			}
		})
	}
}

// times asks for challenges and verdicts one after the other, and returns how long each
// took. It stays below the limit of challenges of one kiosk.
func (p *party) times(t *testing.T, n int) (took []time.Duration) {
	for i := range n {
		if i >= challengeBurst/2 {
			<-time.After(time.Second * 11 / 10 / challengeRate)
		}
		began := time.Now()
		c, err := p.Challenge(t.Context())
		if err == nil {
			_, err = p.Authenticate(t.Context(), "v", c.Nonce, token(t, "valid", c.Nonce))
		}
		if err != nil {
			t.Errorf("an honest kiosk gets no verdict: %v", err)
			return took
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took
}

// syncBuffer is a bytes.Buffer for concurrent use.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// attack is what TestAttackers does. TestAbuse passes it in the environment.
type attack struct {
	URL             string
	Kiosk, Consumer string // bundles
	Crowd           int    // how many clients of each kind, in tens
}

const attackVariable = "TEST_ATTACK"

// TestAbuse has one hostile kiosk and one hostile consumer do at the same time what they
// can (see TestAttackers). Another kiosk and another consumer get all their answers, and
// the hub's memory stays bounded. In the long form the attackers run only when a processor
// is idle (sched(7), SCHED_IDLE), as if they were other machines: so the times
// show what the hub makes of their requests, and not that they use up the processors that
// hub and honest clients need. They use other addresses than the honest clients.
func TestAbuse(t *testing.T) {
	visits, crowd, floodTime := 5, 1, time.Second
	if *longAbuse {
		visits, crowd, floodTime = 300, 10, 10*time.Second
	}
	b := newBed(t)
	began := time.Now()
	var log syncBuffer
	url, _ := b.serveLimited(&log)
	honest, office := b.kiosk(url, "honest"), b.consumer(url, "office")
	b.kiosk(url, "hostile")
	b.consumer(url, "greedy")
	a := attack{
		URL: url, Crowd: crowd,
		Kiosk: filepath.Join(b.dir, "kiosks", "hostile"), Consumer: filepath.Join(b.dir, "consumers", "greedy"),
	}
	quiet := honest.times(t, visits)

	end := b.attack(a)
	<-time.After(floodTime)
	busy := honest.times(t, visits)
	if _, _, err := office.Feed(t.Context(), "office", 1, 0); err != nil {
		t.Errorf("an honest consumer gets no answer: %v", err)
	}
	batch := honest.events(20)
	if n, err := honest.SendEvents(t.Context(), batch); err != nil || n.Acknowledged != 20 {
		t.Errorf("an honest kiosk's events: acknowledged %d, %v", n.Acknowledged, err)
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	used := (memory.HeapInuse + memory.StackInuse) >> 20
	if used > 256 {
		t.Errorf("%d MiB are in use, want at most 256", used)
	}
	attempts := end()
	p99 := func(took []time.Duration) time.Duration { return took[len(took)*99/100] }
	if *longAbuse {
		t.Log("hub and honest clients are one process; the attackers are another one that runs only when a processor is idle, as if it were another machine")
	}
	// A line as "go test -bench" prints it, for deploy/benchtable.
	fmt.Printf("BenchmarkAbuse 1 %d quiet-p99-ns %d flooded-p99-ns %d hub-MiB %d attempts/s\n", p99(quiet), p99(busy), used, attempts)
	if *longAbuse && p99(busy) > 3*p99(quiet) {
		t.Errorf("p99 of challenge and verdict is %s, quiet %s; want at most 3 times that", p99(busy), p99(quiet))
	}
	for _, kind := range []string{tooManyChallenges, tooManyPolls, tooManyHandshakes, tooManyWasted} {
		most := 2 * (1 + int(time.Since(began)/abuseLogInterval)) // there are two hostile identities
		if n := strings.Count(log.String(), `reason="`+kind+`"`); n > most {
			t.Errorf("%q is logged %d times", kind, n)
		}
	}
}

// attack starts the attackers, and returns when the hub has refused one of their long
// polls. end stops them, and returns how many connections and requests they tried a second.
func (b *bed) attack(a attack) (end func() (attempts int)) {
	b.t.Helper()
	text, err := json.Marshal(a)
	if err != nil {
		b.t.Fatal(err)
	}
	// The short form measures no times, and may run on a machine that is never idle.
	scheduled := []string{"nice", "-n", "19"}
	if *longAbuse {
		scheduled = []string{"chrt", "--idle", "0"}
	}
	c := exec.Command(scheduled[0], append(scheduled[1:], os.Args[0], "-test.run=^TestAttackers$", "-test.v")...)
	c.Env = append(os.Environ(), attackVariable+"="+string(text))
	stop, err := c.StdinPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.t.Fatal(err)
	}
	limit := time.AfterFunc(3*time.Minute, func() { _ = c.Process.Kill() })
	defer limit.Stop()
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			b.t.Fatalf("the attackers do not start: %v", err)
		}
		if strings.Contains(line, attackBegins) {
			break
		}
	}
	began := time.Now()
	return func() (attempts int) {
		took := time.Since(began)
		_ = stop.Close()
		said, _ := io.ReadAll(lines)
		if err := c.Wait(); err != nil {
			b.t.Errorf("the attackers: %v\n%s", err, said)
		}
		if _, after, ok := strings.Cut(string(said), attackEnds); ok {
			_, _ = fmt.Sscan(after, &attempts)
		}
		if attempts == 0 {
			b.t.Errorf("the attackers have tried nothing:\n%s", said)
		}
		return int(float64(attempts) / took.Seconds())
	}
}

const (
	attackBegins = "the attack begins"
	attackEnds   = "attempts:"
)

// The attackers' addresses.
var hostileAddress, greedyAddress = net.IPv4(127, 0, 0, 2), net.IPv4(127, 0, 0, 3)

// TestAttackers are the hostile clients of TestAbuse: small gzip files that unpack to
// megabytes and never end, many connections that ask for challenges, many long polls, and
// connections that never finish their handshake. It ends with its standard input.
func TestAttackers(t *testing.T) {
	text := os.Getenv(attackVariable)
	if text == "" {
		return // only TestAbuse starts it
	}
	var a attack
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	b := &bed{t: t}
	url, crowd := a.URL, a.Crowd
	hostile, badConsumer := b.party(url, a.Kiosk, "kiosk"), b.party(url, a.Consumer, "consumer")
	// dial connects from an address.
	dial := func(from net.IP) func(ctx context.Context, network, to string) (net.Conn, error) {
		return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}).DialContext
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	var running sync.WaitGroup
	var attempts atomic.Int64
	var bomb bytes.Buffer
	packed, _ := gzip.NewWriterLevel(&bomb, gzip.BestCompression)
	_, _ = packed.Write([]byte("["))
	_, _ = packed.Write(bytes.Repeat([]byte(" "), hubapi.MaxEventsBody-2))
	_ = packed.Flush()

	two := hostile.tls.Clone()
	two.NextProtos = []string{"h2"}
	h2 := &http.Client{Transport: &http.Transport{DialContext: dial(hostileAddress), TLSClientConfig: two, ForceAttemptHTTP2: true}}
	flood(ctx, &running, &attempts, 10*crowd, func(ctx context.Context) { // bodies that never end
		end, stop := context.WithCancel(ctx)
		defer stop()
		r, err := http.NewRequestWithContext(end, "POST", url+"/v1/events", io.MultiReader(bytes.NewReader(bomb.Bytes()), waiting(end)))
		if err != nil {
			return
		}
		r.Header.Set("Content-Type", hubapi.MediaEvents)
		r.Header.Set("Content-Encoding", "gzip")
		drain(h2.Do(r))
	})
	flood(ctx, &running, &attempts, 5*crowd, func(ctx context.Context) { // a connection for each challenge
		client := &http.Client{Transport: &http.Transport{DialContext: dial(hostileAddress), TLSClientConfig: hostile.tls.Clone(), DisableKeepAlives: true}}
		r, err := http.NewRequestWithContext(ctx, "POST", url+"/v1/challenges", nil)
		if err == nil {
			drain(client.Do(r))
		}
	})
	var refusedPolls atomic.Int64
	flood(ctx, &running, &attempts, maxPolls+5*crowd, func(ctx context.Context) { // long polls
		r, err := http.NewRequestWithContext(ctx, "GET", url+"/v1/feed/greedy?wait=60", nil)
		if err != nil {
			return
		}
		client := &http.Client{Transport: &http.Transport{DialContext: dial(greedyAddress), TLSClientConfig: badConsumer.tls.Clone(), ForceAttemptHTTP2: true, DisableKeepAlives: true}}
		if drain(client.Do(r)) == http.StatusTooManyRequests {
			if refusedPolls.Add(1) == 1 {
				fmt.Println(attackBegins) // the hub is at a limit
			}
		}
	})
	flood(ctx, &running, &attempts, 5*crowd, func(ctx context.Context) { // handshakes that never end
		conn, err := dial(hostileAddress)(ctx, "tcp", strings.TrimPrefix(url, "https://"))
		if err != nil {
			return
		}
		defer conn.Close()
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		defer stop()
		_, _ = conn.Read(make([]byte, 1)) // until the hub closes it
	})

	running.Wait()
	fmt.Println(attackEnds, attempts.Load())
}

// waiting is a reader that blocks until ctx ends.
type blocked struct{ ctx context.Context }

func waiting(ctx context.Context) io.Reader { return blocked{ctx} }

func (b blocked) Read([]byte) (int, error) {
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}

// drain reads an answer to its end and returns its status.
func drain(resp *http.Response, err error) int {
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// An identity has at most maxConnections connections: the hub closes the oldest one for
// the next, so that a copied certificate cannot lock the right client out.
func TestOldestConnectionIsClosed(t *testing.T) {
	b := newBed(t)
	var log syncBuffer
	url, _ := b.serveLimited(&log)
	k1 := b.kiosk(url, "k1")
	var conns []*tls.Conn
	for range maxConnections + 1 {
		config := k1.tls.Clone()
		config.ServerName = "127.0.0.1"
		conn, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), config)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		// An answer shows that the hub has finished the handshake.
		if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	_ = conns[0].SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.Copy(io.Discard, conns[0]); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Error("the oldest connection is still open")
	}
}

// The log has one line a minute for each kind of abuse.
func TestAbuseLog(t *testing.T) {
	var text syncBuffer
	l := &abuseLog{log: slog.New(slog.NewTextHandler(&text, nil))}
	k1, k2 := hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}, hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k2"}
	for range 100 {
		l.note(tooManyPolls, k1, "")
	}
	l.note(tooManyPolls, k2, "")
	l.note(tooManyRequests, k1, "")
	if n := strings.Count(text.String(), "\n"); n != 3 {
		t.Errorf("%d lines, want 3:\n%s", n, text.String())
	}
}
