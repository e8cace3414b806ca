//go:build pkcs11

package main

import (
	"sync"

	"smartkiosk/device/pkcs11card"
	"smartkiosk/kiosk/hub/broker"
)

func init() {
	t := tokens{modules: map[string]*pkcs11card.Module{}, open: map[broker.PKCS11]*pkcs11card.Token{}}
	broker.RegisterPKCS11(t.keys)
}

// tokens keeps the tokens of all brokers open.
type tokens struct {
	mu      sync.Mutex
	modules map[string]*pkcs11card.Module       // by path
	open    map[broker.PKCS11]*pkcs11card.Token // by where the token is
}

func (t *tokens) keys(p broker.PKCS11, pin func() ([]byte, error)) ([]broker.TokenKey, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	where := p
	where.Keys = ""
	token := t.open[where]
	if token == nil {
		module, err := t.module(p.Module)
		if err != nil {
			return nil, err
		}
		if token, err = module.OpenToken(p.Token, pin); err != nil {
			return nil, err
		}
		t.open[where] = token
	}
	found, err := token.Keys(p.Keys)
	if err != nil {
		return nil, err
	}
	var keys []broker.TokenKey
	for _, k := range found {
		keys = append(keys, broker.TokenKey{Label: k.Label, Signer: k})
	}
	return keys, nil
}

func (t *tokens) module(path string) (*pkcs11card.Module, error) {
	if m := t.modules[path]; m != nil {
		return m, nil
	}
	m, err := pkcs11card.Load(path)
	if err == nil {
		t.modules[path] = m
	}
	return m, err
}
