package daemon

import (
	"crypto"
	"errors"
	"log/slog"
	"path/filepath"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/sealkey"
)

// sealing holds the public key to which the kiosk seals its events: the newest key that
// the hub has announced, also after a restart. Events that are already in the outbox
// stay sealed to the previous key. The hub keeps the previous key until it has received
// these events.
type sealing struct {
	kiosk  string
	device crypto.Signer
	newest *sealkey.Newest
	log    *slog.Logger
}

// openSealing reads the newest key from the state folder. If the folder has no key
// yet, it uses the configured key. The key has a file of its own, because the kiosk
// discards damaged records.
func openSealing(c *config.Config, device crypto.Signer, log *slog.Logger) (*sealing, error) {
	first, err := sealkey.ReadPublic(c.Hub.Seal)
	if err != nil {
		return nil, err
	}
	newest := sealkey.OpenNewest(filepath.Join(c.State, "seal.jwk"), first, log)
	return &sealing{c.ID, device, newest, log}, nil
}

func (s *sealing) sealer() (*event.Sealer, error) {
	key := s.newest.Key()
	return event.NewSealer(s.kiosk, s.device, &key.JSONWebKey)
}

// follow makes j seal new events to k, unless k is older than the newest known key. In
// that case the hub has lost a key or is another hub, and nothing changes.
func (s *sealing) follow(k sealkey.Key, j *journal.Journal) error {
	changed, err := s.newest.Offer(k)
	if older, ok := errors.AsType[*sealkey.OlderError](err); ok {
		s.log.Error("events stay sealed to the newest key, which the hub no longer announces", "err", older)
		return nil
	}
	if err != nil || !changed {
		return err
	}
	sealer, err := s.sealer()
	if err != nil {
		return err
	}
	j.Reseal(sealer)
	s.log.Info("events are sealed to a new key", "key", k.KeyID, "made", k.Made)
	return nil
}
