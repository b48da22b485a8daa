"""The tracker: says who has what. Its decisions are in `core`, its memory in `store`, its sockets in `service`."""
