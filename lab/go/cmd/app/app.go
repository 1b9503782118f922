package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// app answers /healthz (readiness), /livez, /metrics, /-/knobs and /-/crash; every other path is an app request.
type app struct {
	settings settings
	coldTill time.Time
	metrics  *metrics
	draining atomic.Bool
	crashed  chan int

	mu    sync.RWMutex
	knobs knobs
}

func newApp(settings settings, now time.Time) *app {
	return &app{
		settings: settings, coldTill: settings.coldUntil(now), metrics: newMetrics(now), crashed: make(chan int, 1),
		knobs: settings.knobs,
	}
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/healthz":
		a.health(w)
	case "/livez":
		fmt.Fprintln(w, "alive")
	case "/metrics":
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		a.metrics.write(w)
	case "/-/knobs":
		a.turn(w, r)
	case "/-/crash":
		a.crash(w, r)
	default:
		a.serve(w, r)
	}
}

func (a *app) current() knobs {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.knobs
}

func (a *app) health(w http.ResponseWriter) {
	if a.draining.Load() || !a.current().ready {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

func (a *app) serve(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	knobs := a.current()
	if knobs.latencyMs > 0 {
		milliseconds := knobs.latencyMs * math.Exp(knobs.latencySigma*rand.NormFloat64())
		select {
		case <-time.After(time.Duration(milliseconds * float64(time.Millisecond))):
		case <-r.Context().Done(): // the client went away: still counted below, as an access log would
		}
	}
	header := w.Header()
	header.Set("Content-Type", "text/plain")
	header.Set("X-App-Version", a.settings.version)
	header.Set("X-Pod", a.settings.pod)
	if a.draining.Load() {
		// The proxy learns before its next request that this connection ends. SetKeepAlivesEnabled(false) would close
		// idle connections at once, and so race with a request that is already on its way.
		header.Set("Connection", "close")
	}
	code, errorRatio := http.StatusOK, knobs.errorRatio
	if begin.Before(a.coldTill) {
		errorRatio = max(errorRatio, a.settings.coldRatio)
	}
	if errorRatio > 0 && rand.Float64() < errorRatio {
		code = http.StatusInternalServerError
		header.Set("X-App-Injected", "1")
	}
	w.WriteHeader(code)
	fmt.Fprintf(w, "%s from %s\n", a.settings.version, a.settings.pod)
	a.metrics.observe(code, r.Method, time.Since(begin))
}

// turn changes knobs by query parameters: all of them, or none when one is wrong.
func (a *app) turn(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "POST /-/knobs?error_ratio=0.05", http.StatusMethodNotAllowed)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	changed := a.knobs
	for name, values := range r.URL.Query() {
		if err := changed.set(name, values[len(values)-1]); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	a.knobs = changed
	fmt.Fprintf(w, "error_ratio=%g latency_ms=%g latency_sigma=%g ready=%t\n",
		changed.errorRatio, changed.latencyMs, changed.latencySigma, changed.ready)
}

// crash ends the process: POST /-/crash?code=137.
func (a *app) crash(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(withDefault(r.URL.Query().Get("code"), "1"))
	if r.Method != http.MethodPost || err != nil {
		http.Error(w, "POST /-/crash?code=1", http.StatusBadRequest)
		return
	}
	select {
	case a.crashed <- code:
	default:
	}
}
