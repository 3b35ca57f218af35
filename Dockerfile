# Shopfloor in a container: `docker build -t shopfloor .`, then see docs/guides/production.md.
#
# Everything from the package index is named with version and hash in requirements.lock and requirements-build.lock, and
# installed from wheels alone. The base image is the one thing that is not: name it by digest if you must know what you
# run, `--build-arg PYTHON_IMAGE=python@sha256:…`.
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

# --- build: everything that is needed to make the environment, and none of it stays -----------------------------------
FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build

# Dependencies first: this layer stays as it is until the lock file changes.
COPY requirements.lock ./
RUN python -m venv /opt/shopfloor \
 && /opt/shopfloor/bin/python -m pip install --require-hashes --only-binary :all: --requirement requirements.lock

COPY requirements-build.lock ./
RUN python -m venv tools \
 && tools/bin/python -m pip install --require-hashes --only-binary :all: --requirement requirements-build.lock

COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN tools/bin/python -m pip wheel --no-deps --no-build-isolation --no-index --wheel-dir wheels . \
 && /opt/shopfloor/bin/python -m pip install --no-deps --no-index wheels/*.whl \
 && /opt/shopfloor/bin/python -m pip uninstall --yes pip \
 && /opt/shopfloor/bin/shopfloor version

# --- the image -----------------------------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE}

# A fixed number, so that the owner of a volume is the same in every version of the image.
RUN groupadd --gid 7419 shopfloor \
 && useradd --uid 7419 --gid 7419 --no-create-home --home-dir /var/lib/shopfloor --shell /usr/sbin/nologin shopfloor \
 && install --directory --mode 0700 --owner shopfloor --group shopfloor /var/lib/shopfloor \
 && install --directory --mode 0750 --group shopfloor /etc/shopfloor

COPY --from=build /opt/shopfloor /opt/shopfloor

# Inside a container "this machine only" would be nobody. Production refuses to start without a password: give it as the
# path of a mounted file, SHOPFLOOR_PASSWORD=/run/secrets/shopfloor-password.
ENV PATH=/opt/shopfloor/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    SHOPFLOOR_ENVIRONMENT=production \
    SHOPFLOOR_COMMAND_BINDING=0.0.0.0:7419 \
    SHOPFLOOR_WEB_BINDING=:0

USER shopfloor
WORKDIR /var/lib/shopfloor
VOLUME /var/lib/shopfloor
EXPOSE 7419
STOPSIGNAL SIGTERM

# Asks the server by the settings of this container, password and TLS included.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["shopfloor", "--timeout", "5", "info"]

ENTRYPOINT ["shopfloor"]
CMD ["serve"]
