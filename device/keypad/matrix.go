package keypad

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"

	"smartkiosk/device/line"
)

const (
	slowScan  = 25 * time.Millisecond // between scans while the only keys down are held for long
	lookAgain = 2 * time.Second       // between attempts to use a lost keypad or pad

	// waitSlice bounds one wait for an edge, and so the time that Close takes. A
	// level that changed without an edge is found when the wait ends.
	waitSlice = time.Second

	// rowTime is how long a row is driven before its columns are read. A scan of
	// four rows takes four times as long. A column follows its row in under 25
	// µs: 50 kΩ of pull (BCM2835 ARM Peripherals, GPIO pull-up) into 500 pF of
	// ribbon cable. No sleep is shorter than rowTime anyway, because the
	// runtime's poller counts in milliseconds (netpoll_epoll.go).
	rowTime = time.Millisecond
)

// maxKeys is the number of keys that fit in a set of keys.
const maxKeys = 32

// Matrix describes the wiring of a keypad of bare contacts: each key connects one
// row to one column. The lines need no resistors where the chip has pulls (all
// lines of a Raspberry Pi have them). Any lines may be used, in any order.
type Matrix struct {
	Rows, Cols []gpio.PinIO // at most 32 keys together
	Layout     Layout       // "123", "456", "789", "*0#" or another of that shape

	StuckAfter time.Duration // 0: DefaultStuckAfter
	Timing     Timing

	// Poll is for column lines without edge detection, for example on an I²C port
	// expander. It is the time between two looks for a key. With 0 the driver
	// waits for edges, which costs nothing while no key is down.
	Poll time.Duration
}

// OpenMatrix takes the lines and starts reading. Its errors name the line, and
// wrap line.ErrInUse or line.ErrLost where one applies, or they describe the
// fault in the key map. The first event is Found.
func OpenMatrix(m Matrix) (*Keypad, error) {
	if len(m.Rows) == 0 || len(m.Cols) == 0 || len(m.Rows)*len(m.Cols) > maxKeys {
		return nil, fmt.Errorf("cannot open keypad: %d rows of %d keys: want 1 to %d keys", len(m.Rows), len(m.Cols), maxKeys)
	}
	keys, err := m.Layout.parse(len(m.Rows), len(m.Cols))
	if err != nil {
		return nil, fmt.Errorf("cannot open keypad: %w", err)
	}
	if err := line.Distinct(append(append([]gpio.PinIO(nil), m.Rows...), m.Cols...)...); err != nil {
		return nil, fmt.Errorf("cannot open keypad: %w", err)
	}
	if m.Poll < 0 || m.StuckAfter < 0 {
		return nil, errors.New("cannot open keypad: a time is negative")
	}
	if err := m.Timing.check(); err != nil {
		return nil, fmt.Errorf("cannot open keypad: %w", err)
	}
	if m.StuckAfter == 0 {
		m.StuckAfter = DefaultStuckAfter
	}
	r := &matrix{Matrix: m, keys: keys}
	if err := r.claim(); err != nil {
		r.release()
		return nil, fmt.Errorf("cannot open keypad: %w", err)
	}
	return start(m.Timing, r.run), nil
}

type matrix struct {
	Matrix
	keys []rune
}

// run reads until ctx ends. One goroutine owns the lines. One further goroutine
// per column only waits for the edges of that column.
func (m *matrix) run(ctx context.Context, k *Keypad) {
	defer m.release()
	for {
		k.tell(Event{Kind: Found, Device: "matrix"})
		err := m.read(ctx, k)
		if ctx.Err() != nil {
			return
		}
		k.tell(Event{Kind: Lost, Device: "matrix", Err: err})
		for err != nil {
			if !line.Sleep(ctx, lookAgain) {
				return
			}
			m.release()
			err = m.claim()
		}
	}
}

// claim makes the columns inputs with pull-ups and drives every row low, so that
// any pressed key pulls its column low.
func (m *matrix) claim() error {
	edge := gpio.FallingEdge
	if m.Poll > 0 {
		edge = gpio.NoEdge
	}
	for _, col := range m.Cols {
		if err := line.Claim(col, col.In(gpio.PullUp, edge)); err != nil {
			return err
		}
	}
	return m.rest()
}

// rest drives every row low.
func (m *matrix) rest() error {
	for _, row := range m.Rows {
		if err := line.Claim(row, row.Out(gpio.Low)); err != nil {
			return err
		}
	}
	return nil
}

func (m *matrix) release() {
	for _, pins := range [][]gpio.PinIO{m.Rows, m.Cols} {
		for _, pin := range pins {
			line.Release(pin)
		}
	}
}

// read waits for a key, scans while one is down, and repeats this until ctx ends
// or the lines are lost.
func (m *matrix) read(ctx context.Context, k *Keypad) error {
	var waiters sync.WaitGroup
	defer waiters.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	woken := make(chan struct{}, 1)
	failed := make(chan error, len(m.Cols))
	for _, col := range m.Cols {
		waiters.Go(func() {
			for ctx.Err() == nil {
				if err := m.await(ctx, col); err != nil {
					failed <- err
					return
				}
				select {
				case woken <- struct{}{}:
				default:
				}
			}
		})
	}

	j := judge{cols: len(m.Cols), stuckAfter: m.StuckAfter}
	for {
		if err := m.scan(ctx, &j, k); err != nil {
			return err
		}
		select {
		case <-woken:
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// await returns when the column fell or may have fallen. The scan's own row
// changes cause edges too; they have no effect while the scan runs.
func (m *matrix) await(ctx context.Context, col gpio.PinIO) error {
	for ctx.Err() == nil {
		if m.Poll > 0 {
			line.Sleep(ctx, m.Poll)
		} else if edge, err := line.Wait(ctx, col, waitSlice); err != nil || edge {
			return err
		}
		if col.Read() == gpio.Low {
			return nil
		}
	}
	return nil
}

// scan reads all keys repeatedly until all are up, and leaves the rows low.
func (m *matrix) scan(ctx context.Context, j *judge, k *Keypad) error {
	for {
		contacts, err := m.contacts()
		if err != nil {
			return err
		}
		v := j.look(time.Now(), contacts)
		m.act(v, j, k)
		if v.idle {
			if err := m.rest(); err != nil || !m.anyDown() {
				return err
			}
		}
		if v.slow {
			line.Sleep(ctx, slowScan)
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

func (m *matrix) act(v verdict, j *judge, k *Keypad) {
	if v.key >= 0 && m.keys[v.key] != 0 {
		k.press(m.keys[v.key])
	}
	for released := v.released; released != 0; released &= released - 1 {
		k.release(m.keys[bits.TrailingZeros32(released)])
	}
	if v.rejected {
		k.tell(Event{Kind: Rejected, Device: "matrix"})
	}
	if v.stuck > 0 {
		k.tell(Event{Kind: Stuck, Device: "matrix", Keys: v.stuck, Err: m.shorted(j.stuck)})
	}
	if v.freed {
		k.tell(Event{Kind: Freed, Device: "matrix"})
	}
}

// shorted returns an error that names a column of which every key is stuck. Then
// the wire is at fault, and the error reveals no digit.
func (m *matrix) shorted(stuck uint32) error {
	for c, col := range m.Cols {
		all := true
		for r := range m.Rows {
			all = all && stuck&(1<<(r*len(m.Cols)+c)) != 0
		}
		if all && len(m.Rows) > 1 {
			return fmt.Errorf("every key of column %s is down: look for a short circuit", col.Name())
		}
	}
	return nil
}

// contacts reads the matrix, row by row. A row that is not being read is an input
// with a pull-up. It is never driven high, because two pressed keys of one column
// would connect it to the low row. It must not float either: many lines have a
// pull-down from reset, which through a key would hold the column between low and
// high.
func (m *matrix) contacts() (uint32, error) {
	for _, row := range m.Rows {
		if err := line.Claim(row, row.In(gpio.PullUp, gpio.NoEdge)); err != nil {
			return 0, err
		}
	}
	var closed uint32
	for r, row := range m.Rows {
		if err := line.Claim(row, row.Out(gpio.Low)); err != nil {
			return 0, err
		}
		time.Sleep(rowTime)
		for c, col := range m.Cols {
			if col.Read() == gpio.Low {
				closed |= 1 << (r*len(m.Cols) + c)
			}
		}
		if err := line.Claim(row, row.In(gpio.PullUp, gpio.NoEdge)); err != nil {
			return 0, err
		}
	}
	return closed, nil
}

func (m *matrix) anyDown() bool {
	time.Sleep(rowTime)
	for _, col := range m.Cols {
		if col.Read() == gpio.Low {
			return true
		}
	}
	return false
}
