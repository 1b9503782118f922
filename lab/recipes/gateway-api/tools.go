//go:build tools

// Package tools pins the module whose custom resource definitions the lab reads.
package tools

import _ "sigs.k8s.io/gateway-api/apis/v1"
