"""A discrete-event shell around the production cores: no socket, no disk, no clock.

Calls in the order of their times (agenda.py) drive TrackerCore and PeerNodes exactly as sockets and
threads do in production; a payload is nothing but its length.
"""
