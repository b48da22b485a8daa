"""`python -m gateway NAME`: the page of one peer.  Reads the configuration once and wires the parts."""

from __future__ import annotations

import os
import secrets
import socket
from typing import Final

import psutil

from bus import log
from bus.config import TOLD_VARIABLE, Loaded, environment_of_user, load
from bus.errors import ERR_CONFIG, ShoalError
from bus.forms import is_loopback
from bus.places import DirectoryLock, PeerPlaces, TrackerPlaces
from bus.program import Arguments, exit_code, leave
from bus.ready import GatewayReady, announce_ready
from gateway import uploads
from gateway.access import Gate, is_any_address, load_or_mint_token, load_password, own_hosts
from gateway.app import WebApp, require_page
from gateway.described import Configured
from gateway.live import Live
from gateway.serving import Service, WebServer, listen, origin_of
from gateway.strangers import Strangers
from gateway.view.page import PageView, PeerFacts

EPOCH_BYTES: Final = 8


def serve(configured: Configured) -> None:
    """Serve one peer's page until a signal."""
    name, loaded = configured.peer, configured.loaded
    settings = loaded.settings
    peer = settings.peer(name)
    gateway = settings.gateway
    download_dir = loaded.resolve(peer.download_dir) if peer.download_dir else ""
    places = PeerPlaces(loaded.base_dir, name, download_dir)
    require_page()
    password = load_password(loaded.resolve(gateway.password_file)) if gateway.password_file else ""
    if not password and not is_loopback(gateway.host):
        message = f"gateway.host {gateway.host} lets other machines in; set gateway.password_file too, or use 127.0.0.1"
        raise ShoalError(ERR_CONFIG, message)
    places.prepare()
    with DirectoryLock(places.data_dir / "gateway.lock"):
        listener = listen(gateway.host, peer.web_port)
        token = load_or_mint_token(places.token_file)
        uploads.remove_unfinished(places.uploads_dir)
        port = listener.getsockname()[1]
        addresses = _addresses() if is_any_address(gateway.host) else []
        hosts = own_hosts(gateway.host, port, gateway.allowed_hosts, addresses)

        strangers = Strangers()

        def make_service() -> Service:
            view = PageView(secrets.token_hex(EPOCH_BYTES), PeerFacts(name, gateway.upload_max))
            tracker = TrackerPlaces(loaded.base_dir).events if settings.tracker.run else ""
            live = Live(view, places.events, places.control, tracker)
            gate = Gate(token, password)
            folders = [loaded.resolve(folder) for folder in gateway.folders]
            web = WebApp(
                live,
                gate,
                places.uploads_dir,
                gateway.upload_max,
                hosts,
                gateway.threads,
                configured,
                folders,
                strangers,
            )
            live.start(web.pages.state_changed, web.pages.tell, web.pages.hear)
            web.pages.start()

            def stop() -> None:
                web.pages.stop()
                live.stop()

            return Service(web.wsgi, stop)

        pid = os.getpid()  # gunicorn's worker announces it, but this is the process to signal
        ready = GatewayReady(name, origin_of(listener, gateway.host), str(places.token_file), pid)
        WebServer(listener, gateway.threads, strangers, make_service, lambda: announce_ready(ready, os.environ)).run()


def main() -> int:
    """Serve until a signal; the exit code."""

    def program() -> None:
        parser = Arguments("shoal gateway", "Serve the page of one peer until SIGTERM or Ctrl-C.")
        parser.add_argument("name", metavar="NAME", help="the peer")
        chosen = parser.parse_args()

        own = environment_of_user(os.environ)

        def read(content: bytes | None) -> Loaded:
            return load(chosen.config, own, chosen.base_dir, content=content)

        loaded = load(chosen.config, os.environ, chosen.base_dir)
        log.setup(loaded.settings.logging, f"gateway {chosen.name}")
        serve(Configured(chosen.name, loaded, read(None), read, TOLD_VARIABLE in os.environ))

    return exit_code(program)


def _addresses() -> list[str]:
    """The addresses of this machine, as they stand in a URL."""
    families = {socket.AF_INET, socket.AF_INET6}
    found = (address for addresses in psutil.net_if_addrs().values() for address in addresses)
    return [address.address.partition("%")[0] for address in found if address.family in families]


if __name__ == "__main__":
    leave(main)
