"""Many small files over a few keep-alive connections."""

from collections.abc import Sequence
from functools import partial

from tests.benchmarks.client import send_small
from tests.benchmarks.lab import AZURITE, NGINX, NGINX_BUFFERED, Lab, settle
from tests.benchmarks.results import OURS, OURS_AGAIN, OURS_POWER, Bar, Results, Round, take_turns
from tests.benchmarks.servers.base import Server
from tests.benchmarks.sizes import Sizes, shown

_CONTENDERS = (OURS, OURS_AGAIN, OURS_POWER, NGINX, NGINX_BUFFERED, AZURITE)
_WARM_UP = 50


def small_files(lab: Lab, results: Results) -> None:
    """Requests a second.

    tuspyserver is left out, as it needs two requests for a file, and so is the raw limit, which is one for large files.
    """
    sizes = lab.sizes
    title = f"files of {shown(sizes.small_file)} over {sizes.small_connections} connections"
    rate = results.measure("small-files", title, "requests/s", is_more_better=True)
    cpu = results.measure("small-files-cpu", f"server CPU, {title}", "ms/request")
    body = lab.payload.read(sizes.small_file)
    with lab.running(_CONTENDERS, [rate, cpu]) as servers:
        contenders: dict[str, Round] = {}
        for contender, server in servers.items():
            _send(server, body, "warm-up", _WARM_UP, sizes)
            contenders[contender] = partial(_round, server, body, sizes)
        take_turns(contenders, [rate, cpu], lab.rounds)
    work = f"small files of {shown(sizes.small_file)}"
    results.bar(Bar(work, rate, 0.8, OURS, NGINX))
    results.bar(Bar(work, rate, 2.5, OURS_POWER, AZURITE))
    results.bar(Bar(work, rate, 4, OURS_POWER, AZURITE, is_moonshot=True))


def _round(server: Server, body: bytes, sizes: Sizes, number: int) -> Sequence[float]:
    settle()
    cpu = server.process.cpu_seconds()
    seconds = _send(server, body, f"round-{number}", sizes.small_files, sizes)
    cpu = server.process.cpu_seconds() - cpu
    return sizes.small_files / seconds, cpu * 1000 / sizes.small_files


def _send(server: Server, body: bytes, folder: str, count: int, sizes: Sizes) -> float:
    requests = [server.upload_request(f"{folder}/file-{each}", body) for each in range(count)]
    return send_small(server.port, requests, sizes.small_connections)
