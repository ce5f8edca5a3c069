package config

import "time"

// checkKeep refuses to keep history where there is no log.
func checkKeep(keep time.Duration, nats Secret) error {
	if err := within(keep, 0, maxTime); err != nil {
		return err
	}
	if keep > 0 && nats.Reveal() == "" {
		return needsNATS()
	}
	return nil
}

// checkTopic refuses to publish where there is no server.
func checkTopic(topic bool, nats Secret) error {
	if topic && nats.Reveal() == "" {
		return needsNATS()
	}
	return nil
}
