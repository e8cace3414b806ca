package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/kiosk/clock"
	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/offline"
	"smartkiosk/kiosk/policy"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/sealkey"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/store"
)

// offlineMode is what the kiosk needs to decide while the hub is unreachable: the
// clock, the hub's policy, and the decider that uses both.
type offlineMode struct {
	clock   *clock.Clock
	syncer  *policy.Syncer
	decider *offline.Decider
}

// openClock returns the machine's clock, checked against the remembered times, and
// makes TLS and the events use it.
func openClock(records *store.Records, credentials *hubapi.Credentials, clocks *journal.Clocks) (*clock.Clock, error) {
	leaf := credentials.TLS.Certificates[0].Leaf
	c, err := clock.Open(clocks.Now, clocks.Uptime, records, clock.Validity{NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter})
	if err != nil {
		return nil, err
	}
	credentials.TLS.Time = c.TLSTime // so that a kiosk whose clock is wrong can learn the time from the hub
	synchronised := clocks.Trusted
	c.Synchronised = synchronised
	clocks.Trusted = func() bool { return synchronised() && !c.Behind() }
	return c, nil
}

// openOfflineMode returns what the kiosk needs to decide without the hub. The kiosk
// follows the stored policy of the hub. If no policy was ever stored, it follows its
// own configuration. If the stored policy cannot be used, the kiosk denies everybody
// while the hub is unreachable, until it has fetched a policy. secret protects the
// stored policy and what the kiosk remembers of holders. seal makes the events use the
// sealing key of a new policy; followed receives the policy.
func openOfflineMode(c *config.Config, records *store.Records, t *clock.Clock, secret []byte, client *hubapi.Client, seal func(sealkey.Key) error, followed func(hubpolicy.Policy), log *slog.Logger) (*offlineMode, error) {
	domains, err := trust.Load(c.Trust.Domains)
	if err != nil {
		return nil, err
	}
	key, err := readPublicJWK(c.Hub.Sign)
	if err != nil {
		return nil, err
	}
	witness, err := offline.OpenWitness(filepath.Join(c.State, "witness.json"))
	if err != nil {
		return nil, err
	}
	memory, err := offline.OpenMemory(records, secret, witness)
	if err != nil {
		return nil, err
	}
	own := offline.Config{Domains: domains, Rules: hubpolicy.OfflineRules{Rule: c.Trust.Offline, UntrustedClock: hubpolicy.Deny}}
	m := &offlineMode{clock: t, decider: offline.NewDecider(c.Hub.URL, t, memory, own, log)}
	m.syncer = &policy.Syncer{
		Kiosk: c.ID, Key: key.Key, Hub: client, Records: records, Secret: secret, Clock: t, Decider: m.decider, Memory: memory, Witness: witness, Seal: seal, Followed: followed, Log: log,
	}
	if err := m.syncer.Open(); err != nil {
		log.Error("no offline grants until the hub has been reached", "err", err)
		own.Rules.Rule = hubpolicy.Never
		m.decider.Set(own)
	}
	return m, nil
}

func readPublicJWK(path string) (*jose.JSONWebKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the hub's public key: %w", err)
	}
	var key jose.JSONWebKey
	if err := json.Unmarshal(data, &key); err != nil || !key.IsPublic() {
		return nil, fmt.Errorf("cannot read the hub's public key: %s holds no public JWK", path)
	}
	return &key, nil
}

// stepEvery is the interval at which the kiosk checks whether the clock was set.
const stepEvery = 10 * time.Second

// watchClock runs until ctx ends. After each event it stores the time, so that the
// kiosk notices at its next start if the clock went back. When somebody sets the clock
// it writes an event.
func (d *Daemon) watchClock(ctx context.Context) {
	tick := time.NewTicker(stepEvery)
	defer tick.Stop()
	for {
		changed := d.store.Changed()
		if err := d.offline.clock.Note(); err != nil {
			d.log.Error("cannot store the newest time seen", "err", err)
		}
		for idle := true; idle; {
			select {
			case <-changed:
				idle = false
			case <-tick.C:
				d.clockStep()
			case <-ctx.Done():
				return
			}
		}
	}
}

func (d *Daemon) clockStep() {
	step := d.offline.clock.Step()
	if step == 0 {
		return
	}
	d.log.Warn("the clock was set", "step", step.Round(time.Millisecond), "behind", d.offline.clock.Behind())
	if err := d.journal.ClockStep(step); err != nil {
		d.log.Error("cannot tell the hub that the clock was set", "err", err)
	}
}
