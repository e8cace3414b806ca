package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// maxMessage is the maximum length of a message of Chromium in bytes.
const maxMessage = 16 << 20

// errGone is the error after Chromium has closed the pipe.
var errGone = errors.New("the browser has ended")

// pipe speaks the DevTools protocol: JSON messages, each with a zero byte at its end.
type pipe struct {
	out io.Writer
	on  func(event) // called for each event, in order; must not wait for a reply

	mu      sync.Mutex
	last    int                  // number of the last command
	waiting map[int]chan<- reply // by the number of the command
	closed  bool
	gone    chan struct{} // closed when Chromium has closed the pipe
}

type command struct {
	ID      int    `json:"id"`
	Session string `json:"sessionId,omitempty"`
	Method  string `json:"method"`
	Params  any    `json:"params,omitempty"`
}

// event is an event of Chromium. Params depend on the method.
type event struct {
	Session string
	Method  string
	Params  json.RawMessage
}

type reply struct {
	result json.RawMessage
	err    error
}

// newPipe reads in until it ends.
func newPipe(in io.Reader, out io.Writer, on func(event)) *pipe {
	p := &pipe{out: out, on: on, waiting: map[int]chan<- reply{}, gone: make(chan struct{})}
	go p.read(in)
	return p
}

func (p *pipe) read(in io.Reader) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxMessage)
	lines.Split(splitZero)
	for lines.Scan() {
		p.take(lines.Bytes())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, w := range p.waiting {
		w <- reply{err: errGone}
	}
	close(p.gone)
}

// splitZero is a bufio.SplitFunc for messages that end with a zero byte.
func splitZero(data []byte, _ bool) (advance int, token []byte, err error) {
	for i, b := range data {
		if b == 0 {
			return i + 1, data[:i], nil
		}
	}
	return 0, nil, nil
}

// take handles one message. One that cannot be read is ignored: Chromium may send more
// than this package knows.
func (p *pipe) take(message []byte) {
	var m struct {
		ID      int             `json:"id"`
		Session string          `json:"sessionId"`
		Method  string          `json:"method"`
		Params  json.RawMessage `json:"params"`
		Result  json.RawMessage `json:"result"`
		Error   *struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(message, &m) != nil {
		return
	}
	if m.Method != "" {
		p.on(event{m.Session, m.Method, m.Params})
		return
	}
	p.mu.Lock()
	w := p.waiting[m.ID]
	delete(p.waiting, m.ID)
	p.mu.Unlock()
	if w == nil {
		return
	}
	r := reply{result: m.Result}
	if m.Error != nil {
		r.err = errors.New(m.Error.Message)
	}
	w <- r
}

// send sends a command and does not wait for its reply.
func (p *pipe) send(session, method string, params any) { _, _ = p.write(session, method, params, nil) }

func (p *pipe) write(session, method string, params any, to chan<- reply) (number int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, errGone
	}
	p.last++
	text, err := json.Marshal(command{p.last, session, method, params})
	if err != nil {
		return 0, err
	}
	defer clear(text) // it may hold a digit of a PIN
	if _, err := p.out.Write(append(text, 0)); err != nil {
		return 0, errGone
	}
	if to != nil {
		p.waiting[p.last] = to
	}
	return p.last, nil
}

// call sends a command and decodes its reply into result, which may be nil.
func (p *pipe) call(ctx context.Context, session, method string, params, result any) error {
	answered := make(chan reply, 1)
	number, err := p.write(session, method, params, answered)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	var r reply
	select {
	case r = <-answered:
	case <-ctx.Done():
		p.mu.Lock()
		delete(p.waiting, number)
		p.mu.Unlock()
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
	if r.err == nil && result != nil {
		r.err = json.Unmarshal(r.result, result)
	}
	if r.err != nil {
		return fmt.Errorf("%s: %w", method, r.err)
	}
	return nil
}
