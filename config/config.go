package config

import (
	"log/slog"
	"reflect"
	"time"
)

// Prefix begins the name of every variable.
const Prefix = "HOOKTAIL_"

// Config is the whole configuration. Every value that Load returns without an error is
// valid. A Config prints without its secrets, with any verb of package fmt and any
// handler of log/slog.
//
// The tags are those of envconfig, and two of our own:
//
//	envconfig  the variable's name without the prefix
//	default    the value of a variable that is not set
//	required   true if the variable must be set; without this and a default it may stay unset
//	allowed    the accepted values, as a noun phrase
//	meaning    the effect of the value
type Config struct {
	DatabaseURL Secret `envconfig:"DATABASE_URL" required:"true" allowed:"a postgres:// URL, or a DSN of key=value pairs" meaning:"Label Studio's database; the role needs REPLICATION"`
	Slot        string `envconfig:"SLOT" default:"hooktail" allowed:"1 to 63 lower-case letters, digits and underscores" meaning:"replication slot"`
	Publication string `envconfig:"PUBLICATION" default:"hooktail" allowed:"a name of 1 to 63 bytes" meaning:"publication"`

	StateSchema        string `envconfig:"STATE_SCHEMA" default:"hooktail" allowed:"a name of 1 to 63 bytes" meaning:"schema of hooktail's own tables, which setup creates; one for each Label Studio in the database"`
	SourceSchema       string `envconfig:"SOURCE_SCHEMA" default:"public" allowed:"a name of 1 to 63 bytes" meaning:"schema of Label Studio's tables"`
	ProjectTable       string `envconfig:"PROJECT_TABLE" default:"project" allowed:"a name of 1 to 63 bytes" meaning:"table of projects"`
	TaskTable          string `envconfig:"TASK_TABLE" default:"task" allowed:"a name of 1 to 63 bytes" meaning:"table of tasks"`
	AnnotationTable    string `envconfig:"ANNOTATION_TABLE" default:"task_completion" allowed:"a name of 1 to 63 bytes" meaning:"table of annotations"`
	WebhookTable       string `envconfig:"WEBHOOK_TABLE" default:"webhook" allowed:"a name of 1 to 63 bytes" meaning:"table of hooks"`
	WebhookActionTable string `envconfig:"WEBHOOK_ACTION_TABLE" default:"webhook_action" allowed:"a name of 1 to 63 bytes" meaning:"table of the hooks' chosen actions"`

	Profile     Profile       `envconfig:"PROFILE" default:"guide" allowed:"guide or native" meaning:"guide: the seven actions of Label Studio's webhooks guide; native: what the application itself sends"`
	Settle      time.Duration `envconfig:"SETTLE" default:"1s" allowed:"a duration from 0 to 1m" meaning:"longest time that an event waits after its commit for the end of the user's action, so that its payload shows the rows at that end; 0: events do not wait"`
	SendSecrets bool          `envconfig:"SEND_SECRETS" default:"false" allowed:"true or false" meaning:"true: send project.token and project.task_data_password; false: send null instead"`
	Deleted     Deleted       `envconfig:"DELETED" default:"id" allowed:"id or row" meaning:"content of deleted annotations in payloads; id: their ids; row: their last rows"`

	Deliver         Deliver       `envconfig:"DELIVER" default:"both" allowed:"active, adopted or both" meaning:"which hooks hooktail serves; active: active hooks, which Label Studio serves too; adopted: hooks adopted by hooktail hooks adopt, which Label Studio no longer serves; both: all of these"`
	AdoptOverlap    time.Duration `envconfig:"ADOPT_OVERLAP" default:"10s" allowed:"a duration from 0 to 10m" meaning:"with HOOKTAIL_DELIVER=adopted: how long events of unadopted hooks are remembered, so that hooktail can send them if the hook is adopted meanwhile; 0: events are not remembered"`
	Timeout         time.Duration `envconfig:"TIMEOUT" default:"1s" allowed:"a duration above 0" meaning:"limit of one attempt, from the name lookup to the end of the answer"`
	MaxAttempts     int           `envconfig:"MAX_ATTEMPTS" default:"0" allowed:"a whole number from 0" meaning:"number of attempts after which a delivery is dead; 0: HOOKTAIL_RETRY_FOR is the only limit; 1: follow the guide and never retry"`
	RetryFor        time.Duration `envconfig:"RETRY_FOR" default:"72h" allowed:"a duration above 0" meaning:"how long a delivery is retried before it is dead"`
	HookConcurrency int           `envconfig:"HOOK_CONCURRENCY" default:"8" allowed:"a whole number from 1 to 1000" meaning:"maximum number of requests in flight per hook"`
	Concurrency     int           `envconfig:"CONCURRENCY" default:"256" allowed:"a whole number from 1 to 10000" meaning:"maximum number of requests in flight for all hooks together; hooks that have timed out since their last success use at most half of it"`
	Egress          Egress        `envconfig:"EGRESS" default:"internal" allowed:"internal, public, or CIDRs separated by commas" meaning:"allowed addresses of hooks; internal: all except link-local, metadata, multicast and unspecified addresses; public: as internal, without private and loopback addresses; CIDRs, separated by commas: only these networks"`
	SecretKey       Secret        `envconfig:"SECRET_KEY" allowed:"32 bytes in base64 or hex; former keys may follow, separated by commas" meaning:"key that encrypts the hooks' signing secrets in the database, 32 random bytes in base64 or hex; former keys may follow, separated by commas; unset: no secrets can be stored"`

	TLSCA   Secret `envconfig:"TLS_CA" allowed:"certificates in PEM" meaning:"certificate authorities of receivers, in addition to the system's"`
	TLSCert Secret `envconfig:"TLS_CERT" allowed:"certificates in PEM, hooktail's own first" meaning:"client certificate for receivers that request one"`
	TLSKey  Secret `envconfig:"TLS_KEY" allowed:"a private key in PEM, not encrypted" meaning:"private key of HOOKTAIL_TLS_CERT"`
	Proxy   Secret `envconfig:"PROXY" allowed:"an http:// or https:// URL without a path, or environment" meaning:"proxy for requests; environment: use HTTP_PROXY, HTTPS_PROXY and NO_PROXY; unset: no proxy, even if these are set"`

	NATSURL      Secret `envconfig:"NATS_URL" allowed:"nats:// or tls:// URLs of one cluster, separated by commas" meaning:"servers of NATS JetStream whose stream carries deliveries from a reader to senders; unset: one instance reads and delivers"`
	NATSCA       Secret `envconfig:"NATS_CA" allowed:"certificates in PEM" meaning:"certificate authorities of the NATS servers, in addition to the system's"`
	NATSCert     Secret `envconfig:"NATS_CERT" allowed:"certificates in PEM, hooktail's own first" meaning:"client certificate for NATS servers that request one"`
	NATSKey      Secret `envconfig:"NATS_KEY" allowed:"a private key in PEM, not encrypted" meaning:"private key of HOOKTAIL_NATS_CERT"`
	NATSCreds    Secret `envconfig:"NATS_CREDS" allowed:"the content of a credentials file (.creds), with a user's JWT and seed" meaning:"credentials for NATS; usually as HOOKTAIL_NATS_CREDS_FILE, which is read again at each connect"`
	NATSNKey     Secret `envconfig:"NATS_NKEY" allowed:"the seed of a user's NKey, which begins with SU" meaning:"NKey for NATS, instead of credentials"`
	Role         Role   `envconfig:"ROLE" default:"both" allowed:"both, reader or sender" meaning:"part of hooktail that this instance is, with HOOKTAIL_NATS_URL; reader: reads the slot and writes the log; sender: reads the log and delivers"`
	NATSSync     Sync   `envconfig:"NATS_SYNC" default:"2m" allowed:"a duration above 0, or always" meaning:"sync_interval of the NATS servers; the slot is confirmed only for what they have had for twice as long, which a loss of power does not take; always: they sync each message"`
	NATSReplicas int    `envconfig:"NATS_REPLICAS" default:"1" allowed:"1, 3 or 5" meaning:"number of NATS servers that have a copy of the log, when setup makes it"`

	Keep  time.Duration `envconfig:"KEEP" default:"0" allowed:"a duration from 0" meaning:"with HOOKTAIL_NATS_URL: how long the log keeps delivered events, for hooktail replay and the page; 0: until they are delivered"`
	Topic bool          `envconfig:"TOPIC" default:"false" allowed:"true or false" meaning:"true: publish every event to NATS subscribers too, under labelstudio.ORGANIZATION.PROJECT.ACTION; needs HOOKTAIL_NATS_URL"`

	ParkMaxBytes  Bytes         `envconfig:"PARK_MAX_BYTES" default:"1GiB" allowed:"a number of bytes from 1MiB, alone or with the unit KiB, MiB, GiB, kB, MB or GB" meaning:"limit on a hook's parked deliveries, in bytes: their bodies plus 256 per row; beyond it the hook is suspended. Its dead deliveries have a separate limit of the same size, beyond which the oldest are deleted"`
	DeadRetention time.Duration `envconfig:"DEAD_RETENTION" default:"720h" allowed:"a duration of at least 1h" meaning:"how long a dead delivery is kept, so that it can be inspected and redriven"`

	Memory     Bytes         `envconfig:"MEMORY" default:"64MiB" allowed:"a number of bytes from 16MiB, alone or with the unit KiB, MiB, GiB, kB, MB or GB" meaning:"approximate limit of hooktail's memory"`
	Grace      time.Duration `envconfig:"GRACE" default:"10s" allowed:"a duration from 0" meaning:"how long a stop waits for requests in flight"`
	HTTPAddr   string        `envconfig:"HTTP_ADDR" default:"127.0.0.1:8484" allowed:"host:port with the port as a number, or off" meaning:"address for metrics, probes, status and page; off: none of these"` // empty: off
	HTTPHosts  []string      `envconfig:"HTTP_HOSTS" allowed:"names or addresses without a port, separated by commas" meaning:"host names, separated by commas, under which page, status and metrics answer, in addition to localhost and the addresses of this machine"`
	AdminToken Secret        `envconfig:"ADMIN_TOKEN" allowed:"16 to 1024 visible ASCII characters" meaning:"token of at least 16 characters that allows viewing payloads and managing hooks and deliveries on the status page; unset: disabled"`
	LogLevel   slog.Level    `envconfig:"LOG_LEVEL" default:"info" allowed:"debug, info, warn or error" meaning:"lowest level that is logged: debug, info, warn or error"`
	LogFormat  LogFormat     `envconfig:"LOG_FORMAT" default:"text" allowed:"text or json" meaning:"format of the log on standard error: text or json"`
}

// Profile selects the rules for making events.
type Profile string

// Profiles.
const (
	Guide  Profile = "guide"  // the seven actions of https://labelstud.io/guide/webhooks
	Native Profile = "native" // what the application itself sends
)

// Deleted selects the payload content of a deleted annotation.
type Deleted string

// Payload content of a deleted annotation.
const (
	DeletedID  Deleted = "id"
	DeletedRow Deleted = "row"
)

// Deliver selects the hooks to serve.
type Deliver string

// Hooks to serve.
const (
	DeliverActive  Deliver = "active"  // active in the application
	DeliverAdopted Deliver = "adopted" // adopted by hooktail
	DeliverBoth    Deliver = "both"
)

// LogFormat is the format of the log.
type LogFormat string

// Formats of the log.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// Variable describes an environment variable.
type Variable struct {
	Name     string // with the prefix
	Default  string // empty: none
	Required bool
	Secret   bool   // the value is never shown
	Allowed  string // accepted values, as a noun phrase
	Meaning  string // effect of the value
}

// Variables lists all variables in the order of Config. Each can also be given as a file,
// by its name with _FILE appended.
func Variables() []Variable {
	var list []Variable
	for field := range reflect.TypeFor[Config]().Fields() {
		list = append(list, variable(field))
	}
	return list
}

func variable(field reflect.StructField) Variable {
	return Variable{
		Name:     Prefix + field.Tag.Get("envconfig"),
		Default:  field.Tag.Get("default"),
		Required: field.Tag.Get("required") == "true",
		Secret:   field.Type == reflect.TypeFor[Secret](),
		Allowed:  field.Tag.Get("allowed"),
		Meaning:  field.Tag.Get("meaning"),
	}
}
