"""The emulator's own routes, all under one prefix."""

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from emulator.api.gateway import OWN_PREFIX
from emulator.control.metrics import CONTENT_TYPE

CA_PAGE: Final = f"{OWN_PREFIX}/ca.pem"

_DOCS: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }}
table {{ border-collapse: collapse }} td, th {{ padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top }}
</style></head>
<body><h1>{title} {version}</h1>
<p>The same as a document: <a href="openapi.json">openapi.json</a></p>
<table><thead><tr><th>Request</th><th>What it does</th><th>Parameters</th></tr></thead>
<tbody>
{rows}
</tbody></table>
</body></html>
"""


def own_router(
    find_fault: Callable[[], str | None],
    expose: Callable[[], bytes],
    describe_api: Callable[[], dict[str, Any]],
    authority: Path | None,
) -> APIRouter:
    """Health, metrics, and the API on a page; `find_fault` says what keeps the emulator from serving.

    `authority` is the certificate of the emulator's own, for clients that are to trust it.
    """
    router = APIRouter()

    @router.get(f"{OWN_PREFIX}/health/live", tags=["emulator"])
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "live"}

    @router.get(f"{OWN_PREFIX}/health/ready", tags=["emulator"])
    def ready() -> JSONResponse:
        """Content and upload sessions can be reached; 503 with the reason while they cannot."""
        fault = find_fault()
        if fault:
            return JSONResponse({"status": "not ready", "reason": fault}, 503)
        return JSONResponse({"status": "ready"})

    @router.get(f"{OWN_PREFIX}/metrics", tags=["emulator"], response_class=PlainTextResponse)
    def metrics() -> Response:
        """Counts and gauges for Prometheus."""
        return Response(expose(), headers={"content-type": CONTENT_TYPE})

    if authority:

        @router.get(CA_PAGE, tags=["emulator"])
        def ca() -> Response:
            """The certificate authority that signed the emulator's certificate, as PEM."""
            return Response(authority.read_bytes(), media_type="application/x-pem-file")

    @router.get(f"{OWN_PREFIX}/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(describe_api()))

    return router


def docs_page(document: dict[str, Any]) -> str:
    """An OpenAPI document as one plain page that needs nothing from elsewhere."""
    rows = [
        _docs_row(f"{verb.upper()} {path}", operation)
        for path, operations in document["paths"].items()
        for verb, operation in operations.items()
    ]
    return _DOCS.format(
        title=escape(document["info"]["title"]), version=escape(document["info"]["version"]), rows="\n".join(rows)
    )


def _docs_row(request: str, operation: dict[str, Any]) -> str:
    names = [each["name"] for each in operation.get("parameters", []) if each["in"] != "path"]
    cells = [f"<code>{escape(request)}</code>", escape(operation.get("summary", "")), escape(", ".join(names))]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
