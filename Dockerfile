# syntax=docker/dockerfile:1
# The operator as a static program in an image that holds nothing else but certificate authorities. README: docs/install.md
#
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg REVISION="$(git rev-parse HEAD)" --tag … .
#
# Where this was written no container engine runs, so it was never built as a whole. For a release pin both bases by digest.

# The version of rust-toolchain.toml; a test says so.
ARG RUST_VERSION=1.95.0

FROM docker.io/library/rust:${RUST_VERSION}-alpine AS build
# Alpine's C library makes static programs that resolve names by themselves. aws-lc is C, built with cmake.
RUN apk add --no-cache cmake make musl-dev perl
WORKDIR /src
ENV CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never
# No path of the machine that built it is in the program.
ENV RUSTFLAGS="--remap-path-prefix=/src=. --remap-path-prefix=/usr/local/cargo=cargo"
COPY Cargo.toml Cargo.lock ./
COPY src src
# The program tells what each reason means in the words of this page.
COPY docs/status.md docs/status.md
ARG REVISION=unknown
ARG TARGETARCH
ENV OPENCLAW_REVISION=${REVISION}
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=target-${TARGETARCH},target=/src/target \
    cargo build --locked --release --bin openclaw-tenant-operator \
    && cp target/release/openclaw-tenant-operator /openclaw-tenant-operator

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /openclaw-tenant-operator /openclaw-tenant-operator
# By number, so that runAsNonRoot can tell.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/openclaw-tenant-operator"]
CMD ["run"]
