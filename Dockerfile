# The image in which a unit's worker runs: the base's torch, the worker's part of the harness, and nothing else.
# `karyobench image build` fills in every argument; the digest of the base that it finds is recorded in a label.
ARG BASE_IMAGE=pytorch/pytorch:2.9.1-cuda12.8-cudnn9-runtime

# A stage of its own for pip, so that an index with a password in its address stays out of the image's history.
FROM ${BASE_IMAGE} AS packages
USER root
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ARG PIP_CERT
ARG PIP_DEFAULT_TIMEOUT
ARG REQUIREMENTS
# torch and torchvision stay the base's: pip is held to their versions, and must not have brought its own.
RUN set -eu; \
    test -n "${REQUIREMENTS:-}" || { echo "REQUIREMENTS is empty: build with karyobench image build" >&2; exit 1; }; \
    python3 -c 'from importlib.metadata import version as v; [print(n, v(n), sep="==") for n in ("torch", "torchvision")]' \
      > /tmp/base.txt; \
    PIP_BREAK_SYSTEM_PACKAGES=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore python3 -m pip install \
      --no-cache-dir --only-binary :all: --prefix /tmp/prefix --constraint /tmp/base.txt $REQUIREMENTS; \
    mv "$(find /tmp/prefix -type d -name '*-packages' | head -n 1)" /opt/packages; \
    for name in torch torchvision nvidia triton; do \
      test ! -e "/opt/packages/$name" || { echo "pip brought its own $name: the base needs another version" >&2; exit 1; }; \
    done

FROM ${BASE_IMAGE}
USER root
RUN useradd --no-create-home --uid 10001 --user-group --home-dir /tmp --shell /usr/sbin/nologin karyobench \
    && mkdir -p /inputs /output && chown karyobench:karyobench /output
COPY --from=packages /opt/packages /opt/packages
ENV PYTHONPATH=/opt/karyobench:/opt/packages \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
COPY benchmark /opt/karyobench/benchmark
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/karyobench \
    && python3 -P -c 'import benchmark.start_worker, benchmark.training.worker'
# For the processor that builds, and found again on others of its kind: see benchmark/training/kernels.py.
RUN NUMBA_CACHE_DIR=/opt/loops python3 -P -c 'from benchmark.training.kernels import loops; loops()'
ENV KARYOBENCH_LOOPS=/opt/loops

ARG BASE_IMAGE
ARG BASE_ID=unknown
ARG VERSION=unknown
ARG REVISION=unknown
ARG WORKER=unknown
LABEL org.opencontainers.image.title="KaryoBench worker" \
      org.opencontainers.image.description="Trains one unit of KaryoBench, without network and without labels of the test" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}" \
      org.karyobench.base="${BASE_IMAGE}" \
      org.karyobench.base-id="${BASE_ID}" \
      org.karyobench.worker="${WORKER}"
USER 10001:10001
WORKDIR /output
ENTRYPOINT ["python3", "-P", "-m", "benchmark.start_worker"]
CMD ["/inputs", "/output"]
