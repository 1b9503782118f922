package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func newTestApp(t *testing.T, env map[string]string) *app {
	t.Helper()
	settings, err := settingsFromEnv(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	return newApp(settings, time.Unix(1700000000, 0))
}

func call(a *app, method, target string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	a.ServeHTTP(recorder, httptest.NewRequest(method, target, nil))
	return recorder
}

func TestInjectedErrorsAreMarkedAndCounted(t *testing.T) {
	a := newTestApp(t, map[string]string{"ERROR_RATIO": "1", "VERSION": "v7", "POD_NAME": "p"})
	got := call(a, "GET", "/cart")
	if got.Code != 500 || got.Header().Get("X-App-Injected") != "1" || got.Header().Get("X-App-Version") != "v7" {
		t.Fatalf("got %d %v", got.Code, got.Header())
	}
	if text := call(a, "GET", "/metrics").Body.String(); !strings.Contains(text, `http_requests_total{code="500",method="GET"} 1`) {
		t.Fatal(text)
	}
}

func TestAColdPodFailsRequestsUntilItIsWarmAndAPodThatIsExceptedNone(t *testing.T) {
	env := map[string]string{"COLD_S": "60", "COLD_ERROR_RATIO": "1", "COLD_EXCEPT": "-canary-", "POD_NAME": "web-1"}
	settings, err := settingsFromEnv(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	for pod, ages := range map[string]map[time.Duration]int{
		"web-1":        {time.Second: 500, 59 * time.Second: 500, time.Minute: 200},
		"web-canary-1": {time.Second: 200},
	} {
		settings.pod = pod
		for age, want := range ages {
			if got := call(newApp(settings, time.Now().Add(-age)), "GET", "/").Code; got != want {
				t.Errorf("%s after %v: %d", pod, age, got)
			}
		}
	}
}

func TestProbesAndScrapesAreNotAppRequests(t *testing.T) {
	a := newTestApp(t, nil)
	for _, path := range []string{"/healthz", "/livez", "/metrics"} {
		call(a, "GET", path)
	}
	if text := call(a, "GET", "/metrics").Body.String(); !strings.Contains(text, "http_request_duration_seconds_count 0") {
		t.Fatal(text)
	}
}

func TestADrainingAppIsNotReadyButStillServesAndClosesItsConnections(t *testing.T) {
	a := newTestApp(t, nil)
	a.draining.Store(true)
	if got := call(a, "GET", "/healthz").Code; got != http.StatusServiceUnavailable {
		t.Fatalf("healthz said %d", got)
	}
	got := call(a, "GET", "/")
	if got.Code != 200 || got.Header().Get("Connection") != "close" {
		t.Fatalf("got %d %v", got.Code, got.Header())
	}
}

func TestAWrongKnobChangesNone(t *testing.T) {
	a := newTestApp(t, nil)
	if got := call(a, "POST", "/-/knobs?ready=false&error_ratio=2"); got.Code != http.StatusBadRequest {
		t.Fatalf("got %d", got.Code)
	}
	if got := call(a, "GET", "/healthz").Code; got != 200 {
		t.Fatalf("healthz said %d", got)
	}
	call(a, "POST", "/-/knobs?ready=false")
	if got := call(a, "GET", "/healthz").Code; got != http.StatusServiceUnavailable {
		t.Fatalf("healthz said %d", got)
	}
}

func TestABoundBelongsToItsOwnBucket(t *testing.T) {
	m := newMetrics(time.Unix(0, 0))
	m.observe(200, "GET", 5*time.Millisecond)
	m.observe(200, "GET", 11*time.Second)
	var text strings.Builder
	m.write(&text)
	for _, line := range []string{`_bucket{le="0.005"} 1`, `_bucket{le="10"} 1`, `_bucket{le="+Inf"} 2`} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("%s is not in\n%s", line, text.String())
		}
	}
}

func TestSettingsThatMakeNoSenseAreRefused(t *testing.T) {
	for name, value := range map[string]string{"ERROR_RATIO": "1.5", "READY": "perhaps", "PRESTOP_S": "-1", "LATENCY_MS": "NaN"} {
		if _, err := settingsFromEnv(func(asked string) string {
			if asked == name {
				return value
			}
			return ""
		}); err == nil {
			t.Errorf("%s=%s was taken", name, value)
		}
	}
}
