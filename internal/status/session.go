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

func (h *handler) session(w http.ResponseWriter, r *http.Request) {
	if p, ok := h.admit(w, r); ok {
		reply(w, http.StatusOK, sessionState{h.Token != "", p.valid, p.csrf})
	}
}

// logIn opens a session if the request has the right token.
func (h *handler) logIn(w http.ResponseWriter, r *http.Request) {
	var form struct {
		Token string `json:"token"`
	}
	if !read(w, r, &form) {
		return
	}
	if h.Token == "" {
		refuse(w, http.StatusForbidden, "HOOKTAIL_ADMIN_TOKEN is not set: this page is read-only")
		return
	}
	now := time.Now()
	right, tooMany := h.gate.guess(addressOf(r), form.Token, now)
	switch {
	case tooMany:
		tooManyGuesses(w)
		return
	case !right:
		h.Log.WarnContext(r.Context(), "Wrong token on the status page", "from", addressOf(r))
		refuse(w, http.StatusUnauthorized, "wrong token")
		return
	}
	value, csrf := h.gate.begin(now)
	setCookie(w, r, value, int(sessionFor/time.Second))
	h.Log.InfoContext(r.Context(), "Login on the status page", "from", addressOf(r))
	reply(w, http.StatusOK, sessionState{true, true, csrf})
}

func (h *handler) logOut(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(cookieName); err == nil {
		h.gate.end(cookie.Value)
	}
	setCookie(w, r, "", -1)
	reply(w, http.StatusOK, sessionState{Admin: h.Token != ""})
}

func setCookie(w http.ResponseWriter, r *http.Request, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		// Behind a proxy that terminates TLS. A client that forges the header only loses
		// its cookie.
		Secure: r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https"),
	})
}

// read accepts only a JSON object, which a form of another site cannot send. If it
// returns false, the request has been answered.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "application/json" {
		refuse(w, http.StatusUnsupportedMediaType, "the body must be application/json")
		return false
	}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			return true
		}
	}
	refuse(w, http.StatusBadRequest, "the body is not the expected JSON object")
	return false
}
