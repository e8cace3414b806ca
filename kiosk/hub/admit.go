package hub

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/rules"
)

// admit decides whether the holder of a card that is in order is let in: by
// the operator's rules, and by the operator's own system if they name one and
// let the holder in. It gives why not, or "".
func (h *Hub) admit(ctx context.Context, log *slog.Logger, visit, kioskID string, holder kiosk.Holder) (kiosk.Reason, error) {
	in := h.rules.Rules()
	c := rules.Case{Subject: holder.ID, Domain: holder.Domain, Kiosk: kioskID, At: h.now()}
	decision := in.Decide(c)
	log = log.With("domain", holder.Domain, "rule", decision.Rule, "rules", in.Version)
	if !decision.Allowed {
		log.Info("visit denied", "reason", decision.Reason)
		return decision.Reason, nil
	}
	if in.Webhook == nil {
		log.Info("visit granted")
		return "", nil
	}
	id := make([]byte, 16)
	if _, err := io.ReadFull(h.rand, id); err != nil {
		return "", fmt.Errorf("cannot ask the operator's system: %w", err)
	}
	allowed, err := in.Webhook.Ask(ctx, h.webhooks, rules.Question{
		ID: "msg_" + hex.EncodeToString(id), Visit: visit, Case: c, Rule: decision.Rule,
	})
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err() // nobody waits any more, and nothing was answered
	case err != nil && in.Webhook.AllowOnFailure:
		log.Warn("visit granted without the operator's system", "err", err)
		return "", nil
	case err != nil:
		log.Warn("visit denied", "reason", kiosk.OperatorSilent, "err", err)
		return kiosk.OperatorSilent, nil
	case !allowed:
		log.Info("visit denied", "reason", kiosk.OperatorDenied)
		return kiosk.OperatorDenied, nil
	}
	log.Info("visit granted", "webhook", true)
	return "", nil
}
