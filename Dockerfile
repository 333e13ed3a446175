# The controller's image, made by a Docker engine (BuildKit). `make image` makes the same one without engine and registry,
# and test/e2e/image.test.ts holds the two together. Both images are arguments, so that a build can take them from where it
# may:
#
#   docker build --build-arg BASE=NAME-OF-A-DISTROLESS-IMAGE --tag config-rollout:0.1.0 .
#   docker buildx build --platform linux/amd64,linux/arm64 …

# Node 22.19 or newer, with npm: to build with, and the program that the image runs.
ARG NODE_IMAGE=node:24-slim
# Needs glibc and libstdc++, no shell and no Node. The default is larger than need be, but anybody has it.
ARG BASE=node:24-slim

# One bundle serves every platform: it is made on the builder's own.
FROM --platform=${BUILDPLATFORM:-linux/amd64} ${NODE_IMAGE} AS build
WORKDIR /source
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund --loglevel=error
COPY . .
RUN npm run -s build

FROM --platform=${TARGETPLATFORM:-linux/amd64} ${NODE_IMAGE} AS node

# Nothing runs in it here, so that other platforms need no emulation.
FROM --platform=${TARGETPLATFORM:-linux/amd64} ${BASE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="config-rollout" \
      org.opencontainers.image.description="Configuration that rolls out, and rolls back, the way images do" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=build /source/dist/config-rollout-controller /usr/local/bin/config-rollout-controller
# A base that has no such file, as the default may, does no harm: the controller speaks to the API server alone, whose CA its
# kubeconfig or service account names; and Node reads the file only where NODE_OPTIONS says --use-openssl-ca or --use-system-ca.
ENV PATH=/usr/local/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/node", "--max-semi-space-size=4", "/usr/local/bin/config-rollout-controller"]
