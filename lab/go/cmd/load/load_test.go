package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func clientOf(server *httptest.Server) *client {
	return newClient(target{address: server.Listener.Addr().String(), host: "shop.example", path: "/"}, 2*time.Second)
}

func TestAnErrorWithoutTheMarkIsAFailureAndOneWithItIsNot(t *testing.T) {
	for _, marked := range []bool{true, false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-App-Version", r.Host)
			if marked {
				w.Header().Set("X-App-Injected", "1")
			}
			w.WriteHeader(500)
		}))
		got := clientOf(server).do(time.Now())
		server.Close()
		if got.failed() == marked || got.injected != marked || got.status != 500 || got.version != "shop.example" {
			t.Errorf("marked %v: %+v", marked, got)
		}
	}
}

func TestAConnectionIsKeptAndOneClosedWhileIdleIsDialledAnew(t *testing.T) {
	var dialled atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			dialled.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c := clientOf(server)
	for range 3 {
		if got := c.do(time.Now()); got.failed() || got.reconnected {
			t.Fatalf("%+v", got)
		}
	}
	if n := dialled.Load(); n != 1 {
		t.Fatalf("dialled %d times", n)
	}
	server.CloseClientConnections()
	for limit := time.Now().Add(2 * time.Second); !closedByPeer(c.conn) && time.Now().Before(limit); {
		time.Sleep(time.Millisecond)
	}
	if got := c.do(time.Now()); got.failed() || !got.reconnected {
		t.Fatalf("%+v", got)
	}
}

func TestAFreshClientDialsForEachRequest(t *testing.T) {
	var dialled atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			dialled.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c := clientOf(server)
	c.fresh = true
	for range 3 {
		if got := c.do(time.Now()); got.failed() || got.reconnected {
			t.Fatalf("%+v", got)
		}
	}
	if n := dialled.Load(); n != 3 {
		t.Fatalf("dialled %d times", n)
	}
}

func TestARequestThatWasSentIsNeverSentAgain(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var accepted atomic.Int64
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			_, _ = conn.Read(make([]byte, 4096))
			conn.Close()
		}
	}()
	got := newClient(target{listener.Addr().String(), "h", "/"}, time.Second).do(time.Now())
	if !got.failed() || got.failure != "closed" || accepted.Load() != 1 {
		t.Fatalf("%+v after %d connections", got, accepted.Load())
	}
}

func TestNobodyListeningIsAFailureOfItsOwnKind(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if got := newClient(target{listener.Addr().String(), "h", "/"}, time.Second).do(time.Now()); got.failure != "dial: refused" {
		t.Fatalf("%+v", got)
	}
}

func TestPublicAddressesAreRefused(t *testing.T) {
	o := options{url: "http://203.0.113.9/", rate: 1, workers: 1, max: 1, timeout: time.Second, every: time.Second}
	if _, err := newTarget(o); err == nil || !strings.Contains(err.Error(), "private") {
		t.Fatalf("got %v", err)
	}
}

func TestPlannedInstantsStandHoweverSlowTheWorkersAre(t *testing.T) {
	planned := make(chan time.Time, 100)
	newPace(1000).run(context.Background(), planned, 50, newTally(time.Now()))
	first := <-planned
	var last time.Time
	for len(planned) > 0 {
		last = <-planned
	}
	if got := last.Sub(first); got != 49*time.Millisecond {
		t.Fatalf("50 requests at 1000/s were planned over %v", got)
	}
}

func TestWhatDoesNotFitTheQueueIsCountedAsDropped(t *testing.T) {
	tally := newTally(time.Now())
	newPace(10000).run(context.Background(), make(chan time.Time, 3), 10, tally)
	if got := tally.line(time.Now(), true).Dropped; got != 7 {
		t.Fatalf("%d dropped", got)
	}
}

func TestALineCountsByVersionStatusAndInjected(t *testing.T) {
	start := time.Unix(1700000000, 0)
	tally := newTally(start)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	tally.add(result{planned: at(0), finished: at(10), version: "v1", status: 200})
	tally.add(result{planned: at(0), finished: at(30), version: "v2", status: 500, injected: true})
	tally.add(result{planned: at(0), finished: at(1100), version: "v1", status: 503})
	tally.add(result{planned: at(0), finished: at(1200), failure: "reset"})
	text, err := json.Marshal(tally.line(at(1500), false))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"requests":4,"ok":1,"injected":1,"failed":2`,
		`"v1":{"first":1700000000.010,"last":1700000001.100,"requests":2,"injected":0,"failed":1,"statuses":{"200":1,"503":1}}`,
		`"failed_kinds":{"reset":1,"status 503":1}`,
		`"seconds":[{"unix":1700000000,"counts":[{"version":"v1","status":200,"injected":false,"requests":1},{"version":"v2","status":500,"injected":true,"requests":1}]}]`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s\nis not in\n%s", want, text)
		}
	}
	if again := tally.line(at(2500), false); len(again.Failures) != 2 || len(again.Seconds) != 1 || again.Failed != 2 {
		t.Errorf("%+v", again)
	}
}
