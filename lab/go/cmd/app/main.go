// Command app is the lab's demo application: an HTTP server that misbehaves on request.
//
// It binds POD_IP:PORT (PORT defaults to 8080) and reads its behaviour from the environment, see settings.go.
// On SIGTERM its readiness fails at once while it goes on serving for PRESTOP_S seconds (endpoints and proxies need
// that long to stop sending), then it stops accepting and waits for requests in flight.
package main

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// shutdownLimit bounds the wait for requests in flight; the node's SIGKILL comes after 30 s unless told otherwise.
const shutdownLimit = 20 * time.Second

func main() {
	log.SetFlags(log.LstdFlags | log.Lmicroseconds | log.LUTC)
	settings, err := settingsFromEnv(os.Getenv)
	if err != nil {
		log.Fatalf("settings: %v", err)
	}
	os.Exit(run(settings))
}

func run(settings settings) int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)

	select { // a slow start: nothing listens yet
	case <-time.After(settings.startDelay):
	case <-signals:
		return 0
	}

	app := newApp(settings, time.Now())
	listener, err := net.Listen("tcp", net.JoinHostPort(settings.address, settings.port))
	if err != nil {
		log.Printf("listen: %v", err)
		return 1
	}
	server := &http.Server{Handler: app, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Printf("version %s serves on %s", settings.version, listener.Addr())

	var crash <-chan time.Time
	if settings.crashAfter > 0 {
		crash = time.After(settings.crashAfter)
	}
	select {
	case err := <-failed:
		log.Printf("serve: %v", err)
		return 1
	case <-crash:
		log.Printf("crashes as told, exit code %d", settings.crashExitCode)
		return settings.crashExitCode
	case code := <-app.crashed:
		log.Printf("crashes as told by a request, exit code %d", code)
		return code
	case got := <-signals:
		log.Printf("%v: draining for %v", got, settings.drain)
	}

	app.draining.Store(true)
	time.Sleep(settings.drain)
	ctx, cancel := context.WithTimeout(context.Background(), shutdownLimit)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil && !errors.Is(err, http.ErrServerClosed) {
		log.Printf("shutdown: %v", err)
		return 1
	}
	log.Print("drained")
	return 0
}
