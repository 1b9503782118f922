//go:build tools

// Package tools names the command that makes Services reachable in the lab. It is apart from the control plane's, so
// that a change of one does not build the other anew.
package tools

import (
	_ "k8s.io/kubernetes/cmd/kube-proxy"
)
