package natstest

import (
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// Operator is an operator of servers, with one account.
type Operator struct {
	t       testing.TB
	account nkeys.KeyPair
	claims  *jwt.OperatorClaims
	system  string // public key of the servers' own account
	tokens  *server.MemAccResolver
}

// NewOperator creates an operator. Its account may use JetStream without limits.
func NewOperator(t testing.TB) *Operator {
	t.Helper()
	operator, name := pair(t, nkeys.CreateOperator)
	account, of := pair(t, nkeys.CreateAccount)
	claims := jwt.NewAccountClaims(of)
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit}
	_, system := pair(t, nkeys.CreateAccount)
	o := &Operator{t: t, account: account, system: system, claims: jwt.NewOperatorClaims(name), tokens: &server.MemAccResolver{}}
	for _, claims := range []*jwt.AccountClaims{claims, jwt.NewAccountClaims(system)} {
		token, err := claims.Encode(operator)
		check(t, err)
		check(t, o.tokens.Store(claims.Subject, token))
	}
	return o
}

// Server sets the options of a server of this operator.
func (o *Operator) Server(options *server.Options) {
	options.TrustedOperators, options.AccountResolver, options.SystemAccount = []*jwt.OperatorClaims{o.claims}, o.tokens, o.system
}

// Credentials returns the content of the credentials file of a new user.
func (o *Operator) Credentials(expires time.Time) string {
	o.t.Helper()
	user, name := pair(o.t, nkeys.CreateUser)
	claims := jwt.NewUserClaims(name)
	claims.Expires = expires.Unix()
	token, err := claims.Encode(o.account)
	check(o.t, err)
	seed, err := user.Seed()
	check(o.t, err)
	text, err := jwt.FormatUserConfig(token, seed)
	check(o.t, err)
	return string(text)
}

// NKey returns the seed of a new user, and its public key.
func NKey(t testing.TB) (seed, public string) {
	t.Helper()
	user, public := pair(t, nkeys.CreateUser)
	text, err := user.Seed()
	check(t, err)
	return string(text), public
}

func pair(t testing.TB, create func() (nkeys.KeyPair, error)) (pair nkeys.KeyPair, public string) {
	t.Helper()
	pair, err := create()
	check(t, err)
	if public, err = pair.PublicKey(); err != nil {
		t.Fatal(err)
	}
	return pair, public
}
