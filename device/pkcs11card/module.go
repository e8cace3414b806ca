//go:build pkcs11

package pkcs11card

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/miekg/pkcs11"

	"smartkiosk/device/smartkort"
)

// Module is a vendor's PKCS #11 library. It opens one card at a time, because a
// process has only one Cryptoki.
type Module struct {
	path  string
	ctx   *pkcs11.Ctx
	login loginFunc

	mu   sync.Mutex
	open bool
}

// Load loads the library at path and checks that it works. The library stays
// loaded.
func Load(path string) (*Module, error) {
	login, err := findLogin(path)
	if err != nil {
		return nil, fmt.Errorf("cannot load PKCS #11 module %s: %w", path, err)
	}
	m := &Module{path: path, login: login, ctx: pkcs11.New(path)}
	if m.ctx == nil {
		return nil, fmt.Errorf("cannot load PKCS #11 module %s", path)
	}
	if err := m.ctx.Initialize(); err != nil {
		return nil, fmt.Errorf("cannot use PKCS #11 module %s: %w", path, err)
	}
	if err := m.ctx.Finalize(); err != nil {
		return nil, fmt.Errorf("cannot use PKCS #11 module %s: %w", path, err)
	}
	return m, nil
}

var errInUse = errors.New("the module has a card open")

// Open opens the card in the reader whose name contains match; "" matches every
// reader. Modules report the reader's name as the slot's description, and have a
// token for each PIN, so Open uses the tokens of all the reader's slots. It fails
// with smartkort.ErrUnknownCard when the module has no token in the reader.
func (m *Module) Open(match string) (*Card, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open {
		return nil, fmt.Errorf("cannot open card: %w", errInUse)
	}
	// Initialize the module for each card. A module that is initialized while
	// the reader or the PC/SC service disappears may never find it again.
	if err := m.ctx.Initialize(); err != nil {
		return nil, fmt.Errorf("cannot open card: %w", err)
	}
	tokens, err := m.tokens(match)
	if err == nil && len(tokens) == 0 {
		err = fmt.Errorf("%w: the module has no token in a reader %q", smartkort.ErrUnknownCard, match)
	}
	card := &Card{module: m, tokens: tokens}
	if err != nil {
		return nil, fmt.Errorf("cannot open card: %w", errors.Join(err, card.end()))
	}
	m.open = true
	return card, nil
}

// tokens opens a session with each token of the reader. If it fails it also
// returns the tokens that it opened.
func (m *Module) tokens(match string) ([]*token, error) {
	slots, err := m.ctx.GetSlotList(true)
	if err != nil {
		return nil, err
	}
	var tokens []*token
	for _, slot := range slots {
		s, err := m.ctx.GetSlotInfo(slot)
		if err != nil {
			return tokens, err
		}
		if !strings.Contains(s.SlotDescription, match) {
			continue
		}
		info, err := m.ctx.GetTokenInfo(slot)
		if errors.Is(err, pkcs11.Error(pkcs11.CKR_TOKEN_NOT_RECOGNIZED)) {
			continue
		} else if err != nil {
			return tokens, err
		}
		if info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0 {
			continue
		}
		session, err := m.ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
		if err != nil {
			return tokens, err
		}
		tokens = append(tokens, &token{module: m, slot: slot, session: session})
	}
	return tokens, nil
}
