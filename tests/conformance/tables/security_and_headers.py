"""Who may ask, and which headers answer (gateway 6.1, 8, 10.94-98)."""

from typing import Final

from tests.conformance.case import (
    CERTAIN,
    DENIED,
    E400,
    EMPTY,
    EMPTY_STORE,
    INFERRED,
    NEW,
    OK0,
    OLD,
    Case,
    Expect,
    Step,
    V,
    all_of,
    files,
    get,
    given,
    listed,
    upload,
)

BOTH: Final = (OLD, NEW)

STRANGER: Final = Expect(403, EMPTY, "none")
SECURED: Final = {"tls": "auto", "https_port": 0, "client_certificates": True}

CASES: Final = (
    Case(
        "gateway 10.96",
        CERTAIN,
        "With certificates required, a request without one is a bare 403.",
        all_of(STRANGER, listed(), get("/$/GetClusterVersion?api-version=6.4"))
        + all_of(STRANGER, Step("PUT", f"/ImageStore/b?{V}", b"abc"), Step("DELETE", f"/ImageStore/a?{V}")),
        runtimes=BOTH,
        settings=SECURED,
    ),
    Case(
        "gateway 10.97",
        CERTAIN,
        "With certificates required, a bad URL is still a bad argument.",
        all_of(E400, get("/ImageStore"), get(f"/ImageStore/a/$/Nope?{V}"), get("/ImageStore?api-version=99")),
        runtimes=BOTH,
        settings=SECURED,
    ),
    Case(
        "gateway 10.94",
        CERTAIN,
        "A request for another cluster is denied.",
        all_of(DENIED, get(f"/ImageStore?{V}", ClusterId="x"))
        + all_of(files("a"), get(f"/ImageStore?{V}", ClusterId="Y"), get(f"/ImageStore?{V}")),
        given=given("a"),
        runtimes=BOTH,
        settings={"cluster_id": "y"},
    ),
    Case(
        "gateway 10.94",
        CERTAIN,
        "The route is looked at first, and nothing is written for another cluster.",
        (
            (get("/ImageStore", ClusterId="x"), E400),
            (Step("PUT", f"/ImageStore/b?{V}", b"abc", {"ClusterId": "x"}), DENIED),
            (Step("PUT", f"/ImageStore/b?{V}", b"abc", {"ClusterId": "x", "Content-Range": "nonsense"}), DENIED),
            (Step("DELETE", f"/ImageStore/a?{V}", headers={"ClusterId": "x"}), DENIED),
            (listed(), files("a")),
        ),
        given=given("a"),
        variant="order",
        runtimes=BOTH,
        settings={"cluster_id": "y"},
    ),
    Case(
        "gateway 10.95",
        CERTAIN,
        "A cluster without an id answers to any.",
        all_of(files("a"), get(f"/ImageStore?{V}", ClusterId="x")),
        given=given("a"),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.98",
        INFERRED,
        "Every answer carries Server and Date (the runner looks at each), errors and empty ones included.",
        all_of(EMPTY_STORE, listed())
        + all_of(E400, get("/ImageStore"))
        + all_of(OK0, upload("a"))
        + all_of(files("a"), listed()),
        runtimes=BOTH,
    ),
    Case(
        "gateway 8",
        CERTAIN,
        "Conditions, ranges, origins and wishes for a format or a coding are ignored.",
        all_of(
            files("a"),
            Step("GET", f"/ImageStore?{V}", headers={"If-None-Match": "*", "If-Modified-Since": "now"}),
            Step("GET", f"/ImageStore?{V}", headers={"Range": "bytes=0-1", "Accept": "text/xml"}),
            Step("GET", f"/ImageStore?{V}", headers={"Accept-Encoding": "gzip", "Origin": "http://explorer.example"}),
        )
        + all_of(OK0, Step("PUT", f"/ImageStore/a?{V}", b"abc", {"If-None-Match": "*", "Content-Type": "text/xml"})),
        given=given("a"),
        runtimes=BOTH,
    ),
)
