package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// settings is what the environment says; knobs (below) may change afterwards, these may not.
type settings struct {
	address       string        // POD_IP; empty binds every address
	port          string        // PORT, 8080
	version       string        // VERSION, "unknown"
	pod           string        // POD_NAME, else HOSTNAME
	startDelay    time.Duration // START_DELAY_S: nothing listens before
	crashAfter    time.Duration // CRASH_AFTER_S since the listener is up; 0 never
	crashExitCode int           // CRASH_EXIT_CODE, 1
	drain         time.Duration // PRESTOP_S, 1: serves on for so long after SIGTERM
	cold          time.Duration // COLD_S since the listener is up, in which COLD_ERROR_RATIO counts; 0 never
	coldRatio     float64       // COLD_ERROR_RATIO: share of app requests answered 500 while cold
	warm          string        // COLD_EXCEPT: pods with this in their name are never cold
	knobs         knobs
}

// knobs is the misbehaviour that a test may also change at run time (POST /-/knobs?error_ratio=0.05).
type knobs struct {
	errorRatio   float64 // ERROR_RATIO: share of app requests answered 500, 0..1
	latencyMs    float64 // LATENCY_MS: median of the added latency
	latencySigma float64 // LATENCY_SIGMA: of its logarithm; 0 makes it constant
	ready        bool    // READY: what /healthz says
}

// set changes one knob by the name it has in the environment, in lower case.
func (k *knobs) set(name, value string) error {
	if name == "ready" {
		ready, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("ready: %q is neither true nor false", value)
		}
		k.ready = ready
		return nil
	}
	number, err := strconv.ParseFloat(value, 64)
	if err != nil || !(number >= 0) {
		return fmt.Errorf("%s: %q is not a number of at least 0", name, value)
	}
	switch name {
	case "error_ratio":
		if number > 1 {
			return fmt.Errorf("error_ratio: %q is above 1", value)
		}
		k.errorRatio = number
	case "latency_ms":
		k.latencyMs = number
	case "latency_sigma":
		k.latencySigma = number
	default:
		return fmt.Errorf("%q is no knob: error_ratio, latency_ms, latency_sigma, ready", name)
	}
	return nil
}

func settingsFromEnv(getenv func(string) string) (settings, error) {
	s := settings{
		address: getenv("POD_IP"),
		port:    withDefault(getenv("PORT"), "8080"),
		version: withDefault(getenv("VERSION"), "unknown"),
		pod:     withDefault(getenv("POD_NAME"), getenv("HOSTNAME")),
		knobs:   knobs{ready: true},
	}
	for variable, knob := range map[string]string{
		"ERROR_RATIO": "error_ratio", "LATENCY_MS": "latency_ms", "LATENCY_SIGMA": "latency_sigma", "READY": "ready",
	} {
		if value := getenv(variable); value != "" {
			if err := s.knobs.set(knob, value); err != nil {
				return s, fmt.Errorf("%s: %w", variable, err)
			}
		}
	}
	for variable, into := range map[string]struct {
		target   *time.Duration
		fallback string
	}{
		"START_DELAY_S": {&s.startDelay, "0"}, "CRASH_AFTER_S": {&s.crashAfter, "0"}, "PRESTOP_S": {&s.drain, "1"},
		"COLD_S": {&s.cold, "0"},
	} {
		seconds, err := strconv.ParseFloat(withDefault(getenv(variable), into.fallback), 64)
		if err != nil || !(seconds >= 0) {
			return s, fmt.Errorf("%s: %q is not a number of seconds", variable, getenv(variable))
		}
		*into.target = time.Duration(seconds * float64(time.Second))
	}
	cold := knobs{}
	if err := cold.set("error_ratio", withDefault(getenv("COLD_ERROR_RATIO"), "0")); err != nil {
		return s, fmt.Errorf("COLD_ERROR_RATIO: %w", err)
	}
	s.coldRatio, s.warm = cold.errorRatio, getenv("COLD_EXCEPT")
	code, err := strconv.Atoi(withDefault(getenv("CRASH_EXIT_CODE"), "1"))
	if err != nil {
		return s, fmt.Errorf("CRASH_EXIT_CODE: %w", err)
	}
	s.crashExitCode = code
	return s, nil
}

// coldUntil is the instant from which an app that came up at this one works as it should.
func (s settings) coldUntil(up time.Time) time.Time {
	if s.warm != "" && strings.Contains(s.pod, s.warm) {
		return up
	}
	return up.Add(s.cold)
}

func withDefault(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
