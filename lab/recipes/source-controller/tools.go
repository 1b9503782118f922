//go:build tools

// Package tools names the command that the lab builds from this module.
package tools

import _ "github.com/fluxcd/source-controller"
