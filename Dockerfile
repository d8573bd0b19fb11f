# check=error=true;skip=FromPlatformFlagConstDisallowed
# The operator as a static program, in an image that holds nothing else but certificate authorities. README: docs/supply-chain.md
#
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg REVISION="$(git rev-parse HEAD)" --tag … .
#   docker buildx build --platform linux/amd64 --target program --output type=local,dest=. .        the program alone
#
# Tests hold it to BuildKit's own parser and rules, and run the script that does the work here on the same files. A container engine
# runs it in CI (.github/workflows).

# The version of rust-toolchain.toml; a test says so. Both bases count by their digests.
ARG RUST_VERSION=1.95.0
ARG RUST_DIGEST=sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1
ARG BASE_DIGEST=sha256:d093aa3e30dbadd3efe1310db061a14da60299baff8450a17fe0ccc514a16639

# Always on x86-64, whoever builds for whom: another kind of machine would give other bytes, and cross-compiling needs no emulator.
FROM --platform=linux/amd64 docker.io/library/rust:${RUST_VERSION}-bookworm@${RUST_DIGEST} AS build
# Brings the C compiler, whose hash deploy/image/requirements.txt holds. Python's own version has no part in the program.
RUN apt-get update && apt-get install --yes --no-install-recommends python3-venv && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY deploy/image deploy/image
COPY src src
# The program tells what each reason means in the words of this page.
COPY docs/status.md docs/status.md
ARG REVISION=unknown
ARG TARGETARCH
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=image-${TARGETARCH},target=/src/target/image \
    case "${TARGETARCH}" in amd64) target=x86_64-unknown-linux-musl ;; arm64) target=aarch64-unknown-linux-musl ;; esac \
    && OPENCLAW_REVISION="${REVISION}" deploy/image/build.sh "${target:?only amd64 and arm64 are built}" /out/openclaw-tenant-operator

FROM scratch AS program
COPY --from=build /out/openclaw-tenant-operator /openclaw-tenant-operator

FROM gcr.io/distroless/static-debian12:nonroot@${BASE_DIGEST}
COPY --from=build /out/openclaw-tenant-operator /openclaw-tenant-operator
# By number, so that runAsNonRoot can tell.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/openclaw-tenant-operator"]
CMD ["run"]
