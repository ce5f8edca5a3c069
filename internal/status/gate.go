package status

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// The gate's limits: wrong guesses of an address at once, which come back within
// guessWindow; addresses; open sessions, and their duration.
const (
	guesses     = 10
	guessWindow = time.Minute
	maxGuessers = 1024
	maxSessions = 64
	sessionFor  = 12 * time.Hour
)

// cookieName is the session cookie's name.
const cookieName = "hooktail_session"

// gate decides who may see payloads and act. It is safe for concurrent use.
type gate struct {
	token [sha256.Size]byte
	open  bool // a token is set

	mu       sync.Mutex
	sessions map[[sha256.Size]byte]session // by the hash of the cookie's value
	wrong    map[string]*rate.Limiter      // guesses that are left, by address
}

type session struct {
	csrf  string // token that requests which change something must repeat
	until time.Time
}

// pass is the rights of a request.
type pass struct {
	valid bool
	csrf  string // token of the session; "" if the request carried the admin token itself
}

func newGate(token string) *gate {
	return &gate{
		token: sha256.Sum256([]byte(token)), open: token != "",
		sessions: make(map[[sha256.Size]byte]session), wrong: make(map[string]*rate.Limiter),
	}
}

// guess compares a token sent from an address, unless that address has guessed too often.
func (g *gate) guess(address, token string, now time.Time) (right, tooMany bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	left, known := g.wrong[address]
	if !known {
		left = rate.NewLimiter(rate.Every(guessWindow/guesses), guesses)
	}
	if left.TokensAt(now) < 1 {
		return false, true
	}
	sum := sha256.Sum256([]byte(token)) // hashes are compared, so that the length does not show
	if subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1 && g.open {
		delete(g.wrong, address)
		return true, false
	}
	left.AllowN(now, 1)
	if known {
		return false, false
	}
	if len(g.wrong) == maxGuessers { // only addresses whose guesses are old are forgotten
		maps.DeleteFunc(g.wrong, func(_ string, left *rate.Limiter) bool { return left.TokensAt(now) >= guesses })
	}
	if len(g.wrong) == maxGuessers {
		return false, true
	}
	g.wrong[address] = left
	return false, false
}

func (g *gate) begin(now time.Time) (value, csrf string) {
	value, csrf = rand.Text(), rand.Text()
	g.mu.Lock()
	defer g.mu.Unlock()
	var oldest [sha256.Size]byte
	for key, s := range g.sessions {
		if now.After(s.until) {
			delete(g.sessions, key)
		} else if first, ok := g.sessions[oldest]; !ok || s.until.Before(first.until) {
			oldest = key
		}
	}
	if len(g.sessions) >= maxSessions {
		delete(g.sessions, oldest)
	}
	g.sessions[sha256.Sum256([]byte(value))] = session{csrf: csrf, until: now.Add(sessionFor)}
	return value, csrf
}

func (g *gate) end(value string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.sessions, sha256.Sum256([]byte(value)))
}

func (g *gate) find(value string, now time.Time) pass {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, ok := g.sessions[sha256.Sum256([]byte(value))]
	if !ok || now.After(s.until) {
		return pass{}
	}
	return pass{valid: true, csrf: s.csrf}
}

// admit returns the rights of the request; without a token it may only look. It is an
// error if the token is wrong, or if there were too many guesses.
func (h *handler) admit(w http.ResponseWriter, r *http.Request) (pass, error) {
	if scheme, token, given := strings.Cut(r.Header.Get("Authorization"), " "); given && strings.EqualFold(scheme, "Bearer") {
		err := h.compare(w, r, token)
		if errors.Is(err, errWrongToken) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="hooktail"`)
		}
		return pass{valid: err == nil}, err
	}
	return h.passOf(r), nil
}

var (
	errWrongToken = &refusal{http.StatusUnauthorized, "wrong token"}
	errReadOnly   = &refusal{http.StatusForbidden, "HOOKTAIL_ADMIN_TOKEN is not set: this page is read-only"}
)

func (h *handler) compare(w http.ResponseWriter, r *http.Request, token string) error {
	switch right, tooMany := h.gate.guess(addressOf(r), token, time.Now()); {
	case tooMany:
		w.Header().Set("Retry-After", "60")
		return &refusal{http.StatusTooManyRequests, "too many wrong tokens: wait a minute"}
	case !right:
		return errWrongToken
	}
	return nil
}

func (h *handler) passOf(r *http.Request) pass {
	if cookie, err := r.Cookie(cookieName); err == nil {
		return h.gate.find(cookie.Value, time.Now())
	}
	return pass{}
}

// addressOf returns the address under which guesses are counted.
func addressOf(r *http.Request) string { return hostOf(r.RemoteAddr) }

// sessionState is the page's view of its session.
type sessionState struct {
	Admin      bool   `json:"admin"`
	Authorized bool   `json:"authorized"`
	CSRF       string `json:"csrf,omitempty"` // value of the header X-CSRF-Token
}

func (h *handler) session(_ http.ResponseWriter, _ *http.Request, p pass) (any, error) {
	return sessionState{h.Token != "", p.valid, p.csrf}, nil
}

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
