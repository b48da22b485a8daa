"""A discrete-event shell around the production cores: no socket, no disk, no clock.

One heap of (time, order, call) drives TrackerCore and PeerNodes exactly as sockets and
threads do in production; a payload is nothing but its length.
"""
