package hub

import (
	"context"
	"errors"
	"net/http"
	"unicode/utf8"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/trust"
)

// maxText bounds the visit's id and the nonce, in characters.
const maxText = 64

func (h *Hub) authenticate(w http.ResponseWriter, r *http.Request, c caller) error {
	var in hubapi.AuthenticationRequest
	if err := apihttp.ReadJSON(r, map[string]any{"visit": &in.Visit, "nonce": &in.Nonce, "token": &in.Token}); err != nil {
		return err
	}
	if n := utf8.RuneCountInString(in.Visit); n == 0 || n > maxText {
		return apihttp.Malformed("visit is empty or too long")
	}
	if utf8.RuneCountInString(in.Nonce) > maxText {
		return apihttp.Malformed("nonce is too long")
	}
	verdict, err := h.judge(r.Context(), c.Name, in)
	if err != nil {
		return err
	}
	out := hubapi.Authentication{Verdict: hubapi.VerdictDenied, Reason: verdict.Reason, Holder: verdict.Holder}
	if verdict.Granted {
		out = hubapi.Authentication{
			Verdict: hubapi.VerdictGranted, Holder: verdict.Holder, ValidFor: int(hubapi.GrantLife.Seconds()),
		}
	}
	return apihttp.WriteJSON(w, http.StatusOK, out)
}

// judge spends the nonce and then looks at the token, so that nobody can try
// tokens out on one nonce. Whether the holder is let in comes last: only who
// has proven to be somebody learns what the rules say of them.
func (h *Hub) judge(ctx context.Context, kioskID string, in hubapi.AuthenticationRequest) (kiosk.Verdict, error) {
	log := h.log.With("kiosk", kioskID, "visit", in.Visit)
	reason, err := h.spend(ctx, in.Nonce, kioskID)
	if err != nil {
		return kiosk.Verdict{}, err
	}
	if reason != "" {
		log.Info("visit denied", "reason", reason)
		return kiosk.Verdict{Reason: reason}, nil
	}
	holder, err := h.validator.Validate(ctx, in.Token, in.Nonce, h.now())
	if refusal, ok := errors.AsType[*trust.Refusal](err); ok {
		log.Info("visit denied", "reason", refusal.Reason, "err", refusal.Err)
		return kiosk.Verdict{Reason: refusal.Reason}, nil
	}
	if err != nil {
		return kiosk.Verdict{}, err
	}
	reason, err = h.admit(ctx, log, in.Visit, kioskID, holder)
	if err != nil {
		return kiosk.Verdict{}, err
	}
	return kiosk.Verdict{Granted: reason == "", Reason: reason, Holder: holder}, nil
}
