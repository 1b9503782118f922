"""Who splits the traffic: one protocol, one file for each provider.

Belongs here: what is known of a provider's objects, read into `TrafficView` and rendered into writes. Does not:
decisions (which weight, when), requests, other providers' business. No I/O happens here.
"""
