#!/usr/bin/env bash
# Makes sure that what Coffer needs from the system is there: need.sh THING...
#
# Where this is root on a machine with apt-get, a missing Debian package is installed; elsewhere the packages are
# named and the script fails. Things: rust, cxx, libclang, python, iso-codes.
set -eu

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# missing WHAT DEBIAN FEDORA ARCH MAC: installs the Debian packages or says how to get them.
missing() {
    if can_install; then
        echo "installing $2 (for $1)" >&2
        # The lists of packages may be absent or old; one update cures both.
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $2 >/dev/null 2>&1 && return 0
        apt-get update -q >/dev/null
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $2 >&2
        return 0
    fi
    {
        echo "missing: $1. Install it with"
        echo "  Debian, Ubuntu:  sudo apt-get install $2"
        echo "  Fedora, RHEL:    sudo dnf install $3"
        echo "  Arch:            sudo pacman -S $4"
        echo "  macOS:           $5"
    } >&2
    exit 1
}

need_rust() {
    if ! command -v cargo >/dev/null; then
        echo "missing: Rust. Install it from https://rustup.rs (version 1.95 or newer)." >&2
        exit 1
    fi
}

need_cxx() {
    if command -v g++ >/dev/null || command -v clang++ >/dev/null || [ -n "${CXX:-}" ]; then return; fi
    missing "a C++ compiler for RocksDB" g++ gcc-c++ gcc "xcode-select --install"
}

have_libclang() {
    local config dir
    if [ -n "${LIBCLANG_PATH:-}" ]; then return 0; fi
    for config in llvm-config $(compgen -c llvm-config- | sort -u); do
        if command -v "$config" >/dev/null; then
            dir=$("$config" --libdir 2>/dev/null) || continue
            if compgen -G "$dir/libclang.*" >/dev/null || compgen -G "$dir/libclang-[0-9]*" >/dev/null; then return 0; fi
        fi
    done
    for dir in /usr/lib/llvm-*/lib /usr/lib /usr/lib64 /usr/lib/*-linux-gnu /usr/local/lib /usr/lib64/llvm*/lib \
        /Library/Developer/CommandLineTools/usr/lib /opt/homebrew/opt/llvm/lib /usr/local/opt/llvm/lib \
        /Applications/Xcode.app/Contents/Developer/Toolchains/XcodeDefault.xctoolchain/usr/lib; do
        # libclang-cpp is another library and does not do.
        if compgen -G "$dir/libclang.*" >/dev/null || compgen -G "$dir/libclang-[0-9]*" >/dev/null; then return 0; fi
    done
    return 1
}

need_libclang() {
    if have_libclang; then return; fi
    missing "libclang, which makes RocksDB's bindings" libclang-dev clang-devel clang "brew install llvm"
}

need_python() {
    local probe
    if command -v python3 >/dev/null && python3 -c 'import venv, ensurepip' 2>/dev/null; then return; fi
    missing "Python with venv, for the KMS emulator of the tests" "python3-venv python3-pip" "python3 python3-pip" \
        "python python-pip" "brew install python"
    probe=$(python3 -c 'import venv, ensurepip; print("ok")' 2>&1) || true
    if [ "$probe" != ok ]; then
        echo "python3 has still no venv: $probe" >&2
        exit 1
    fi
}

need_iso-codes() {
    if [ -r "${ISO_CODES:-/usr/share/iso-codes/json}/iso_639-3.json" ]; then return; fi
    missing "the list of languages that the demo imports" iso-codes iso-codes iso-codes \
        "fetch iso_639-3.json from the iso-codes project and set ISO_CODES to its folder"
}

for thing in "$@"; do "need_$thing"; done
