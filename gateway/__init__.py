"""The web process of one peer: REST, Socket.IO and the page. It meets its peer only in messages and events."""
