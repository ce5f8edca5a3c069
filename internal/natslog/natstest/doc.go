// Package natstest is NATS servers with JetStream in the process of a test.
package natstest
