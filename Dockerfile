# GraphiQL, from its npm packages.
FROM node:22-slim AS explorer
WORKDIR /src/explorer
COPY explorer/package.json explorer/package-lock.json explorer/.npmrc ./
RUN npm ci
COPY explorer ./
COPY operations ../operations
RUN npm run build

# The gateway as a wheel, with GraphiQL inside.
FROM python:3.13-slim AS wheel
WORKDIR /src
COPY pyproject.toml README.md ./
COPY datastore datastore
COPY resolvers resolvers
COPY schema schema
COPY gateway gateway
COPY --from=explorer /src/gateway/static gateway/static
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

# What runs: the pinned packages and the wheel, without compilers, node or sources.
FROM python:3.13-slim
COPY constraints.txt /tmp/constraints.txt
RUN pip install --no-cache-dir --require-hashes -r /tmp/constraints.txt
COPY --from=wheel /wheels /tmp/wheels
RUN pip install --no-cache-dir --no-deps /tmp/wheels/*.whl \
    && rm -r /tmp/wheels /tmp/constraints.txt \
    && useradd --system --uid 10001 --create-home --home-dir /data kundeport
USER 10001
WORKDIR /data
VOLUME /data
ENV PYTHONUNBUFFERED=1 KUNDEPORT_LOG_FORMAT=json
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=2)"]
ENTRYPOINT ["kundeport", "serve", "--host", "0.0.0.0"]
