#!/usr/bin/env bash
# Measures an idle member with ten databases: its resident memory, and the time from its start until it serves.
#
# A replica set of one member, in a temporary folder, with a local key. The start includes what the local KMS takes
# (a file is read); with AWS a call of some 10 ms comes on top. Run by `make idle`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset ${!COFFER_@}

databases=${DATABASES:-10}
starts=${STARTS:-5}
port=${PORT:-27109}
address=127.0.0.1:$port
[ -x bin/cofferd ] && [ -x bin/coffer ] || { echo "run \`make build\` first" >&2; exit 1; }
if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    echo "port $port is taken; name another with PORT=" >&2
    exit 1
fi

folder=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT
export COFFER_ENDPOINTS=$address

cmk=$(bin/coffer dev-kms --dir "$folder/kms" create | grep -o 'arn:aws:kms:[^ ]*' | head -n 1)
bin/cofferd init-config --members "1=$address" --out "$folder" --cmk "$cmk" --kms-dir "$folder/kms" >/dev/null

now() { date +%s%N; }
health='"state":"serving"'
# Starts the member and sets `took` to the milliseconds until it serves: it leads and answers a linearizable read.
start() {
    local begun
    begun=$(now)
    bin/cofferd --config "$folder/member-1.toml" >>"$folder/log" 2>&1 &
    pid=$!
    until bin/coffer --timeout 5s --output json status 2>/dev/null | tr -d ' \n' | grep -q "$health"; do
        kill -0 "$pid" 2>/dev/null || { echo "the member has ended:" >&2; tail -n 12 "$folder/log" >&2; exit 1; }
    done
    took=$((($(now) - begun) / 1000000))
}
stop() {
    kill -TERM "$pid"
    wait "$pid" || { echo "the member ended with status $?" >&2; exit 1; }
    pid=
}
resident_mib() { awk '/^VmRSS:/ { printf "%.1f", $2 / 1024 }' "/proc/$pid/status"; }

start
for number in $(seq "$databases"); do
    for document in 1 2 3; do
        bin/coffer insert "db$number.things" "{\"_id\": $document, \"text\": \"something to keep\"}" >/dev/null
    done
done
echo "a member with $databases databases, after its writes: $(resident_mib) MiB resident"
stop

worst=0
for run in $(seq "$starts"); do
    start
    [ "$took" -le "$worst" ] || worst=$took
    count=$(bin/coffer count "db$databases.things")
    [ "$count" = 3 ] || { echo "it counts $count documents instead of 3" >&2; exit 1; }
    # Idle: two looks at the key and some heartbeats have gone by.
    sleep 2
    echo "start $run: serves after $took ms, then idle with $(resident_mib) MiB resident and" \
        "$(awk '/^Threads:/ { print $2 }' "/proc/$pid/status") threads"
    last=$(resident_mib)
    stop
done

echo "worst start $worst ms (promised: under 1000), last resident $last MiB (promised: under 100)"
[ "$worst" -lt 1000 ] && awk -v mib="$last" 'BEGIN { exit !(mib < 100) }'
