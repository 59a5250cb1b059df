# The first stage installs the emulator into a virtual environment; the second is the base image and that environment.

ARG BASE=python:3.12-slim

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils
RUN python -m venv --without-pip /opt/imagestore-emulator

# Dependencies before sources: they change seldom and stay in the build cache.
COPY pyproject.toml requirements.lock ./
# With the extras, so that PostgreSQL and certificates need no other image.
RUN python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
      extras = project["optional-dependencies"]; \
      print(*project["dependencies"], *extras["postgresql"], *extras["tls"], sep="\n")' > requirements.txt \
 && pip --python /opt/imagestore-emulator install --no-compile -c requirements.lock -r requirements.txt \
 && find /opt/imagestore-emulator -name '*.cpython-*.so' -exec strip --strip-debug {} +

COPY . .
# Bytecode of whatever a running emulator loads, and of no more: of all there is it would be twice as much. Bytecode that
# is never compared with its source needs no matching timestamps.
RUN pip --python /opt/imagestore-emulator install --no-compile --no-deps . \
 && /opt/imagestore-emulator/bin/python -B docker/compile.py


FROM ${BASE}
LABEL org.opencontainers.image.title="Image Store emulator" \
      org.opencontainers.image.description="A local emulator of the Azure Service Fabric Image Store REST API" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/imagestore-emulator /opt/imagestore-emulator
# 0.0.0.0, since nobody outside can reach a container's loopback. 5 s for running requests and 2 s to clean up after those
# that did not finish leave some of the 10 s after which an engine kills.
ENV PATH="/opt/imagestore-emulator/bin:$PATH" \
    IMAGESTORE_HOST=0.0.0.0 \
    IMAGESTORE_DATA=/data \
    IMAGESTORE_IN_MEMORY_UNLESS_MOUNTED=on \
    IMAGESTORE_SHUTDOWN_TIMEOUT=5s
# Slim bases have no bytecode of the standard library: this keeps that of the modules in use. A new named volume takes
# its owner and mode from /data here, so everybody may write: any user can be chosen.
RUN python -c 'import emulator.command.cli, emulator.app, emulator.serving.server, emulator.serving.workers, emulator.certificates, psycopg, sqlite3' \
 && mkdir -m 777 /data
EXPOSE 19080
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=5s --retries=3 --start-period=30s --start-interval=500ms \
    CMD ["imagestore-emulator", "healthcheck"]
ENTRYPOINT ["imagestore-emulator"]
