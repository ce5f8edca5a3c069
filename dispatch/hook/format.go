package hook

import "fmt"

// Format is the form of a hook's requests.
type Format string

// Formats. Others are refused.
const (
	LabelStudio           Format = ""                       // the application's own
	CloudEvents           Format = "cloudevents"            // CloudEvents 1.0, binary content mode: the same body, and headers
	CloudEventsStructured Format = "cloudevents-structured" // ParseFormat parses the name of a format as people write it, including labelstudio.
)

// ParseFormat reads the name of a form as people write it: labelstudio is one too.
func ParseFormat(text string) (Format, error) {
	switch f := Format(text); f {
	case "labelstudio":
		return LabelStudio, nil
	case LabelStudio, CloudEvents, CloudEventsStructured:
		return f, nil
	default:
		return LabelStudio, fmt.Errorf("format %.40q is invalid: use labelstudio, %s or %s", text, CloudEvents, CloudEventsStructured)
	}
}

// Format returns the form of the hook's requests.
func (h *Hook) Format() Format { return Format(h.Choice.texts().Format) }
