//go:build tools

// Package tools names the command that the lab builds from this module.
package tools

import _ "github.com/projectcontour/contour/cmd/contour"
