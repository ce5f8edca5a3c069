// Package cloudevents writes events in the form of CloudEvents 1.0: attributes that become
// headers in the binary content mode, and the beginning of the JSON object that holds
// the body in the structured one. It knows neither hooks nor HTTP, and never copies a body.
//
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
package cloudevents
