"""Run by the Python of tuspyserver's environment: ``tus_app.py PORT DIRECTORY default|data``."""

import sys

import uvicorn
from fastapi import FastAPI
from tuspyserver import create_tus_router  # type: ignore[import-not-found]
from tuspyserver.storage.local import LocalFileStorage  # type: ignore[import-not-found]

if __name__ == "__main__":
    port, directory, storage = sys.argv[1:]
    app = FastAPI()
    app.include_router(
        create_tus_router(
            prefix="files", files_dir=directory, storage=LocalFileStorage(directory) if storage == "data" else None
        )
    )
    uvicorn.run(app, host="127.0.0.1", port=int(port), access_log=False, log_level="warning")
