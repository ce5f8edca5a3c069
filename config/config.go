package config

import (
	"log/slog"
	"time"
)

// Prefix is what the names of all variables begin with.
const Prefix = "HOOKTAIL_"

// Config is the whole configuration. A value that Load returned without an
// error obeys everything that its tags allow. It prints without its secrets,
// with any verb of package fmt and any handler of log/slog.
//
// The tags are those of envconfig, and two of our own:
//
//	envconfig  the variable's name without the prefix
//	default    the text that stands for a variable that is not set
//	required   true if the variable must be set; one with neither this nor a default may stay unset
//	allowed    which values are accepted, as a noun
//	meaning    what the value does
type Config struct {
	DatabaseURL Secret `envconfig:"DATABASE_URL" required:"true" allowed:"a postgres:// URL, or a DSN of key=value pairs" meaning:"the database of Label Studio; the role needs REPLICATION"`
	Slot        string `envconfig:"SLOT" default:"hooktail" allowed:"1 to 63 lower-case letters, digits and underscores" meaning:"the replication slot"`
	Publication string `envconfig:"PUBLICATION" default:"hooktail" allowed:"a name of 1 to 63 bytes" meaning:"the publication"`

	StateSchema        string `envconfig:"STATE_SCHEMA" default:"hooktail" allowed:"a name of 1 to 63 bytes" meaning:"the schema of hooktail's own tables, which setup makes"`
	SourceSchema       string `envconfig:"SOURCE_SCHEMA" default:"public" allowed:"a name of 1 to 63 bytes" meaning:"the schema of Label Studio's tables"`
	ProjectTable       string `envconfig:"PROJECT_TABLE" default:"project" allowed:"a name of 1 to 63 bytes" meaning:"the table of projects"`
	TaskTable          string `envconfig:"TASK_TABLE" default:"task" allowed:"a name of 1 to 63 bytes" meaning:"the table of tasks"`
	AnnotationTable    string `envconfig:"ANNOTATION_TABLE" default:"task_completion" allowed:"a name of 1 to 63 bytes" meaning:"the table of annotations"`
	WebhookTable       string `envconfig:"WEBHOOK_TABLE" default:"webhook" allowed:"a name of 1 to 63 bytes" meaning:"the table of hooks"`
	WebhookActionTable string `envconfig:"WEBHOOK_ACTION_TABLE" default:"webhook_action" allowed:"a name of 1 to 63 bytes" meaning:"the table of the actions that a hook has chosen"`

	Profile     Profile       `envconfig:"PROFILE" default:"guide" allowed:"guide or native" meaning:"whose rules make the events: the seven actions of Label Studio's webhooks guide, or what the application itself sends"`
	Settle      time.Duration `envconfig:"SETTLE" default:"1s" allowed:"a duration from 0 to 1m" meaning:"how long after its commit an event waits at most for the end of the user's action, which the stream shows for most, so that it shows the rows as the action leaves them; 0: not at all"`
	SendSecrets bool          `envconfig:"SEND_SECRETS" default:"false" allowed:"true or false" meaning:"whether project.token and project.task_data_password are sent, or null in their place"`
	Deleted     Deleted       `envconfig:"DELETED" default:"id" allowed:"id or row" meaning:"what is sent of a deleted annotation: its id, or the whole of its last row"`

	Deliver         Deliver       `envconfig:"DELIVER" default:"both" allowed:"active, adopted or both" meaning:"which hooks are served: those that are active, which Label Studio sends to as well; those that were adopted (hooktail hooks adopt), which it does not; or both"`
	AdoptOverlap    time.Duration `envconfig:"ADOPT_OVERLAP" default:"10s" allowed:"a duration from 0 to 10m" meaning:"with HOOKTAIL_DELIVER=adopted: how long the events of hooks that Label Studio still sends to are remembered, to be sent by hooktail too if the hook is adopted meanwhile; 0: not at all"`
	Timeout         time.Duration `envconfig:"TIMEOUT" default:"1s" allowed:"a duration above 0" meaning:"how long one attempt may take, from the name lookup to the end of the answer"`
	MaxAttempts     int           `envconfig:"MAX_ATTEMPTS" default:"0" allowed:"a whole number from 0" meaning:"after how many attempts a delivery is dead; 0: no limit but HOOKTAIL_RETRY_FOR; 1: failed connections are not retried"`
	RetryFor        time.Duration `envconfig:"RETRY_FOR" default:"72h" allowed:"a duration above 0" meaning:"how long a delivery is retried before it is dead"`
	HookConcurrency int           `envconfig:"HOOK_CONCURRENCY" default:"8" allowed:"a whole number from 1 to 1000" meaning:"how many requests one hook has in flight at most"`
	Egress          Egress        `envconfig:"EGRESS" default:"internal" allowed:"internal, public, or CIDRs separated by commas" meaning:"the addresses that hooks may have; internal: all but link-local, metadata, multicast and unspecified ones; public: no private or loopback ones either; CIDRs: these alone"`
	SecretKey       Secret        `envconfig:"SECRET_KEY" allowed:"32 bytes in base64 or hex; former keys may follow, separated by commas" meaning:"the key that encrypts the hooks' signing secrets in the database; not set: none can be stored"`

	TLSCA   Secret `envconfig:"TLS_CA" allowed:"certificates in PEM" meaning:"certificate authorities of receivers, besides the system's"`
	TLSCert Secret `envconfig:"TLS_CERT" allowed:"certificates in PEM, the own one first" meaning:"the certificate for receivers that ask for one"`
	TLSKey  Secret `envconfig:"TLS_KEY" allowed:"a private key in PEM, not encrypted" meaning:"the private key of HOOKTAIL_TLS_CERT"`
	Proxy   Secret `envconfig:"PROXY" allowed:"an http:// or https:// URL without a path, or environment" meaning:"the proxy that requests go through; environment: as HTTP_PROXY, HTTPS_PROXY and NO_PROXY say; not set: none, whatever these say"`

	ParkMaxBytes  Bytes         `envconfig:"PARK_MAX_BYTES" default:"1GiB" allowed:"a number of bytes from 1MiB, alone or with the unit KiB, MiB, GiB, kB, MB or GB" meaning:"how much is parked for one hook, in bytes of the bodies and 256 for each row; beyond it the hook is suspended. Its dead deliveries have as much room of their own, and the oldest go"`
	DeadRetention time.Duration `envconfig:"DEAD_RETENTION" default:"720h" allowed:"a duration of at least 1h" meaning:"how long a dead delivery is kept, for a person to look at and to redrive"`

	Memory     Bytes         `envconfig:"MEMORY" default:"64MiB" allowed:"a number of bytes from 16MiB, alone or with the unit KiB, MiB, GiB, kB, MB or GB" meaning:"about how much memory hooktail may take"`
	Grace      time.Duration `envconfig:"GRACE" default:"10s" allowed:"a duration from 0" meaning:"how long a stop waits for what is in flight"`
	HTTPAddr   string        `envconfig:"HTTP_ADDR" default:"127.0.0.1:8484" allowed:"host:port with the port as a number, or off" meaning:"where metrics, probes and status are served"` // empty: off
	HTTPHosts  []string      `envconfig:"HTTP_HOSTS" allowed:"names or addresses without a port, separated by commas" meaning:"the names by which page, status and metrics may be asked for, besides localhost and the addresses of this machine"`
	AdminToken Secret        `envconfig:"ADMIN_TOKEN" allowed:"16 to 1024 visible ASCII characters" meaning:"who has it may see payloads on the status page, and pause, ping, redrive and discard there; not set: nobody may"`
	LogLevel   slog.Level    `envconfig:"LOG_LEVEL" default:"info" allowed:"debug, info, warn or error" meaning:"the least level that is logged"`
	LogFormat  LogFormat     `envconfig:"LOG_FORMAT" default:"text" allowed:"text or json" meaning:"the form of the log on standard error"`
}

// Profile says whose rules make the events.
type Profile string

// The profiles.
const (
	Guide  Profile = "guide"  // the seven actions of https://labelstud.io/guide/webhooks
	Native Profile = "native" // what the application itself sends
)

// Deleted says what is sent of a deleted annotation.
type Deleted string

// What can be sent of a deleted annotation.
const (
	DeletedID  Deleted = "id"
	DeletedRow Deleted = "row"
)

// Deliver says which hooks are served.
type Deliver string

// Which hooks can be served.
const (
	DeliverActive  Deliver = "active"  // those that are active in the application
	DeliverAdopted Deliver = "adopted" // those that hooktail has taken over
	DeliverBoth    Deliver = "both"
)

// LogFormat is the form of the log.
type LogFormat string

// The forms of the log.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)
