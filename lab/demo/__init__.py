"""The demo: a good commit and a bad one, on real parts, with a report that can be checked."""
