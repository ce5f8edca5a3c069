package status

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// sessionState is the page's view of its session.
type sessionState struct {
	Admin      bool   `json:"admin"`
	Authorized bool   `json:"authorized"`
	CSRF       string `json:"csrf,omitempty"` // value of the header X-CSRF-Token
}

func (h *handler) session(_ http.ResponseWriter, _ *http.Request, p pass) (any, error) {
	return sessionState{h.Token != "", p.valid, p.csrf}, nil
}

// logIn opens a session if the request has the right token.
func (h *handler) logIn(w http.ResponseWriter, r *http.Request) (any, error) {
	var form struct {
		Token string `json:"token"`
	}
	if err := read(r, &form); err != nil {
		return nil, err
	}
	if h.Token == "" {
		return nil, errReadOnly
	}
	if err := h.compare(w, r, form.Token); err != nil {
		if errors.Is(err, errWrongToken) {
			h.Log.WarnContext(r.Context(), "Wrong token on the status page", "from", addressOf(r))
		}
		return nil, err
	}
	value, csrf := h.gate.begin(time.Now())
	setCookie(w, r, value, int(sessionFor/time.Second))
	h.Log.InfoContext(r.Context(), "Login on the status page", "from", addressOf(r))
	return sessionState{true, true, csrf}, nil
}

func (h *handler) logOut(w http.ResponseWriter, r *http.Request) (any, error) {
	if cookie, err := r.Cookie(cookieName); err == nil {
		h.gate.end(cookie.Value)
	}
	setCookie(w, r, "", -1)
	return sessionState{Admin: h.Token != ""}, nil
}

func setCookie(w http.ResponseWriter, r *http.Request, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		// Behind a proxy that terminates TLS. A client that forges the header only loses
		// its cookie.
		Secure: r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https"),
	})
}

// read accepts only a JSON object, which a form of another site cannot send.
func read(r *http.Request, into any) error {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "application/json" {
		return &refusal{http.StatusUnsupportedMediaType, "the body must be application/json"}
	}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			return nil
		}
	}
	return &refusal{http.StatusBadRequest, "the body is not the expected JSON object"}
}
