#!/bin/sh
# Builds the gateway that has seen a load: target/trained/vtc-gateway.
#
#     vtc-gateway/deploy/train.sh [SECONDS]
#
# First it is built so that it notes which of its code runs, and how often; the demo's traffic runs through it, 20 seconds
# unless told otherwise; then it is built again with the notes, and what runs often lies close together (profile-guided
# optimisation). It does the same as any other, and serves a quarter more requests per second. Takes as long as two
# release builds. Needs Rust, and rustup or the compiler's llvm-tools.
set -eu
cd "$(dirname "$0")/../.."

folder=$PWD/target/trained
host=$(rustc --print host-tuple)
profdata=$(rustc --print target-libdir)/../bin/llvm-profdata
[ -x "$profdata" ] || rustup component add llvm-tools

# With the host named, build scripts and macros are built as ever, without these flags.
build() { # NAME FLAGS
    RUSTFLAGS=$2 cargo build --release --locked -p vtc-gateway --bin vtc-gateway --target "$host" --target-dir "$folder/$1"
    built=$folder/$1/$host/release/vtc-gateway
}

# cargo does not see that notes have changed.
rm -rf "$folder/seen" "$folder/built"
build seeing "-Cprofile-generate=$folder/seen"
"$built" demo --traffic --seconds "${1:-20}" --listen 127.0.0.1:0
"$profdata" merge -o "$folder/profile" "$folder"/seen/*.profraw
build built "-Cprofile-use=$folder/profile"
cp "$built" "$folder/vtc-gateway"
echo "$folder/vtc-gateway"
