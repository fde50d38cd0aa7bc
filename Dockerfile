# One of our programs and nothing else: no shell, no packages, no user but a number. What is copied is made before, by
# `make images`, which needs no image to begin with and so no registry: the program, statically linked, the certificate
# authorities it trusts, and what it consists of (/sbom.cdx.json, CycloneDX). `make images` then builds this file with
# buildah; a Docker engine does the same with
#
#     docker build --build-arg PROGRAM=webhook .
FROM scratch
ARG PROGRAM
ARG TARGETARCH
ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED
LABEL org.opencontainers.image.title="spokedns-${PROGRAM}" \
      org.opencontainers.image.description="spokedns: DNS for Kubernetes behind hubs, firewalls and changing addresses" \
      org.opencontainers.image.source="https://github.com/spokedns/spokedns" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY bin/images/rootfs/${PROGRAM}-${TARGETARCH}/ /
USER 65532:65532
ENTRYPOINT ["/spokedns"]
