package hook

// Format is the form of a hook's requests.
type Format string

// The forms. Others are refused.
const (
	LabelStudio           Format = ""                       // the application's own
	CloudEvents           Format = "cloudevents"            // CloudEvents 1.0, binary content mode: the same body, and headers
	CloudEventsStructured Format = "cloudevents-structured" // CloudEvents 1.0, structured content mode: the body within a JSON object
)

// Format is the form of the hook's requests.
func (h *Hook) Format() Format { return "" }
