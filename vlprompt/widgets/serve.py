"""The panels on a page of their own, without Jupyter's frame: Voilà on loopback, for showing in class."""

import os
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from vlprompt.paths import cache_folder

HOST = "127.0.0.1"  # nobody else's machine can reach it
TEMPLATE = Path(__file__).with_name("page_template")
TITLE = "Prompt learning: the panels"
EXTENSIONS = "@voila-dashboards/widgets-manager8", "@jupyter-widgets/jupyterlab-manager", "anywidget"  # no others
IDLE = 600  # seconds after which a kernel ends whose page is gone


def serve(port: int, say: Callable[[str], None], browser: bool = True) -> None:
    """Serve the page at a port of this machine, 0 for one that is free, until Ctrl-C; leaves nothing behind.

    `say` gets the address as soon as the page answers, and then `browser` opens it. Voilà starts a kernel for each
    page that is opened and ends it when the page is left. Raises ValueError for a port that cannot be had.
    """
    port = usable(port)
    from tornado.ioloop import IOLoop

    with TemporaryDirectory(prefix="vlprompt-explore-") as name:
        os.environ.update(IPYTHONDIR=str(Path(name, "ipython")), TMPDIR=name)  # what its kernels write goes with them
        os.environ["VLPROMPT_CACHE"] = str(cache_folder().resolve())  # they begin in another folder
        server = make_server(Path(name), port)
        IOLoop.current().add_callback(announce, f"http://{HOST}:{port}/", say, browser)
        server.start()


def usable(port: int) -> int:
    """The port itself if one may listen there, and for 0 one that is free; otherwise a ValueError."""
    if not 0 <= port <= 65_535:
        raise ValueError(f"port must be a whole number from 0 to 65535, not {port}")
    with socket.socket() as probe:
        if os.name == "posix":  # as the server will do: a port that was just given back can be had
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise ValueError(
                f"port {port} cannot be had ({why}): give another with --port, or --port 0 for one that is free"
            ) from None
        return probe.getsockname()[1]


def make_server(folder: Path, port: int):
    """Voilà with our page, and with nobody's settings but these; what it writes goes to the folder."""
    import nbformat
    from traitlets.config import Config
    from voila.app import Voila

    cell = nbformat.v4.new_code_cell("from vlprompt.widgets.page import page\n\npage()")
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel, "title": TITLE})
    nbformat.write(notebook, folder / "panels.ipynb")
    settings = Config()
    settings.Voila.update(ip=HOST, port=port, port_retries=0, open_browser=False, connection_dir_root=str(folder))
    settings.Voila.tornado_settings = {
        "allow_remote_access": False,
        "disable_check_xsrf": True,  # Voilà's page cannot end its kernel else (its issue 1458); ids are not guessed
        "ws_ping_interval": 0,  # on loopback no connection is lost unseen
    }
    settings.Voila.log_level = "ERROR"
    settings.VoilaConfiguration.update(
        allow_template_override="NO", file_allowlist=[], extension_allowlist=list(EXTENSIONS)
    )
    settings.KernelManager.transport_encryption = "auto"
    settings.MappingKernelManager.update(cull_idle_timeout=IDLE, cull_interval=60)
    server = Voila(config=settings, config_file_paths=[])
    server.initialize([str(folder / "panels.ipynb")])
    server.template_paths.insert(0, str(TEMPLATE))
    if hasattr(signal, "SIGHUP"):  # the terminal was closed: end as on SIGTERM, for which Voilà itself cleans up
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
    return server


def announce(address: str, say: Callable[[str], None], browser: bool) -> None:
    """Say where the page is, and show it; a browser that takes its time must not hold up the server."""
    say(f"the panels are at {address} (Ctrl-C ends them)")
    if browser:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
