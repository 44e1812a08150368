#!/usr/bin/env bash
# The life of a replica set in two minutes: `make demo`. It is started, filled, asked, loses its leader, is locked out of
# its key and let in again. KEEP=1 leaves it running; `demo.sh stop` (`make demo-stop`) ends that.
#
# Everything is under ./.demo. Members listen on 127.0.0.1:27101 to 27103.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

demo=$PWD/.demo
# Says that the folder is ours to remove.
mark=$demo/made-by-make-demo
ports=(27101 27102 27103)
endpoints=127.0.0.1:27101,127.0.0.1:27102,127.0.0.1:27103
languages=${ISO_CODES:-/usr/share/iso-codes/json}/iso_639-3.json
# A variable of the caller must not point the demo elsewhere.
unset ${!COFFER_@}
export COFFER_ENDPOINTS=$endpoints

if [ -t 1 ]; then bold=$(tput bold 2>/dev/null || true) plain=$(tput sgr0 2>/dev/null || true); else bold='' plain=''; fi
say() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; shift; if [ $# -gt 0 ]; then printf '%s\n' "$@"; fi; }
# Shows a command as a person would type it, and runs it.
run() {
    local word shown=''
    for word in "${@#bin/}"; do
        case $word in
        "$demo"*) word=.demo${word#"$demo"} ;;
        esac
        case $word in
        *[!A-Za-z0-9_./:=,-]*) shown+=" '$word'" ;;
        *) shown+=" $word" ;;
        esac
    done
    printf '$%s\n' "$shown"
    "$@"
}
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }

coffer() { bin/coffer "$@"; }

pid_of() { cat "$demo/member-$1.pid" 2>/dev/null || true; }

# Whether the process of member $1 is there and is a cofferd (a process id may have gone to another program since), or is
# about to become one: until then it is a copy of this shell.
runs() {
    local pid
    pid=$(pid_of "$1")
    [ -n "$pid" ] && ps -p "$pid" -o args= 2>/dev/null | grep -q -e cofferd -e demo.sh
}

stop_members() {
    local member pid try
    for member in 1 2 3; do if runs "$member"; then kill -TERM "$(pid_of "$member")" 2>/dev/null || true; fi; done
    for try in $(seq 100); do
        pid=
        for member in 1 2 3; do if runs "$member"; then pid=$(pid_of "$member"); fi; done
        [ -n "$pid" ] || return 0
        sleep 0.1
    done
    for member in 1 2 3; do if runs "$member"; then kill -KILL "$(pid_of "$member")" 2>/dev/null || true; fi; done
}

if [ "${1:-}" = stop ]; then
    [ -e "$mark" ] || fail "there is no demo in $demo"
    stop_members
    rm -rf "$demo"
    echo "stopped, and removed $demo"
    exit 0
fi

# --- before anything is touched ---------------------------------------------------------------------------------------

[ -x bin/cofferd ] && [ -x bin/coffer ] || fail "bin/cofferd and bin/coffer are not there; run \`make build\`"
[ -r "$languages" ] || fail "$languages is not there; install iso-codes (\`make demo\` says how)"
if [ -e "$demo" ]; then
    [ -e "$mark" ] || fail "$demo is there, and it is not from this script: move it away"
    for member in 1 2 3; do
        if runs "$member"; then fail "a demo runs already; \`make demo-stop\` ends it"; fi
    done
    rm -rf "$demo"
fi
for port in "${ports[@]}"; do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        fail "port $port is taken by another program; the demo needs ${ports[*]}"
    fi
done

finished=no
clean_up() {
    local status=$?
    trap - EXIT INT TERM
    if [ "$finished" = yes ] && [ "${KEEP:-}" = 1 ]; then exit "$status"; fi
    # After a Ctrl-C nobody asks why.
    if [ "$status" != 0 ] && [ "$status" != 130 ] && [ "$status" != 143 ]; then
        for member in 1 2 3; do
            if [ -e "$demo/member-$member.log" ]; then
                printf '\nthe log of member %s ends with\n' "$member" >&2
                tail -n 12 "$demo/member-$member.log" >&2
            fi
        done
    fi
    stop_members
    rm -rf "$demo"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$demo"
: >"$mark"

# --- members ----------------------------------------------------------------------------------------------------------

# Starts member $1. The key is looked at every 2 s here, not every 30, so that the demo need not wait for it.
start() {
    # In a process group of its own: a Ctrl-C is for the demo, which then stops its members in order.
    set -m
    bin/cofferd --config "$demo/member-$1.toml" --set health.interval=2s --set health.confirm=2s \
        --set health.retry_max=1s >>"$demo/member-$1.log" 2>&1 &
    set +m
    echo $! >"$demo/member-$1.pid"
}

# Waits until each of the members serves.
serving() {
    local member deadline=$((SECONDS + 30))
    for member in "$@"; do
        until coffer --only-endpoints --endpoint "127.0.0.1:2710$member" --timeout 2s --output json status 2>/dev/null |
            tr -d ' \n' | grep -q '"state":"serving"'; do
            runs "$member" || fail "member $member has ended"
            [ $SECONDS -lt $deadline ] || fail "member $member does not serve after 30 s"
            sleep 0.1
        done
    done
    # And one of them leads.
    coffer --timeout 20s db list >/dev/null
}

leader() { coffer status | sed -n 's/.*led by member \([0-9]*\) .*/\1/p'; }

# --- the demo ---------------------------------------------------------------------------------------------------------

say "1. A customer's key" "A directory plays AWS KMS; in it a multi-Region key, with a replica in a second Region."
run bin/coffer dev-kms --dir .demo/kms create --region eu-central-1,eu-west-1 | tee "$demo/arns"
cmk=$(grep -o 'arn:aws:kms:eu-central-1:[^ ]*' "$demo/arns" | head -n 1)

say "2. Three members" "Each makes keys of its own under the customer's key, and seals every byte that it writes."
run bin/cofferd init-config --members 1=127.0.0.1:27101,2=127.0.0.1:27102,3=127.0.0.1:27103 --out "$demo" \
    --cmk "$cmk" --kms-dir "$demo/kms" --regions eu-central-1,eu-west-1
for member in 1 2 3; do start "$member"; done
serving 1 2 3
echo "members 1, 2 and 3 serve"

say "3. Documents" "The languages of ISO 639-3, from the Debian package iso-codes."
run bin/coffer import iso.languages "$languages" --pointer /639-3 --id-field alpha_3
run bin/coffer find iso.languages '{"name": "German"}'
run bin/coffer count iso.languages '{"type": "E"}'
run bin/coffer find iso.languages '{"scope": "M"}' --sort '{"name": 1}' --limit 3 --projection '{"name": 1}'

say "4. What the members are, and their keys" "Wrapped keys are on disk; the keys themselves are in memory only."
run bin/coffer status
run bin/coffer keys

say "5. On disk" "A language that every member holds can be read in no file of theirs:"
if grep -rlF 'Pennsylvania German' "$demo"/member-[123]; then fail "a name is readable on disk"; fi
echo "grep finds 'Pennsylvania German' in none of $(find "$demo"/member-[123] -type f | wc -l | tr -d ' ') files"

led=$(leader)
[ -n "$led" ] || fail "no member leads"
say "6. The leader, member $led, is killed with SIGKILL" "The other two elect a new one, and writes go on."
kill -KILL "$(pid_of "$led")"
wait "$(pid_of "$led")" 2>/dev/null || true
run bin/coffer insert iso.notes '{"_id": 1, "text": "written while one member of three was dead"}'
run bin/coffer update iso.languages '{"_id": "deu"}' '{"$set": {"spoken": true}}'
now=$(leader)
[ -n "$now" ] && [ "$now" != "$led" ] || fail "no other member leads"
echo "member $now leads; member $led starts again and catches up"
start "$led"
serving 1 2 3
run bin/coffer status
before=$(coffer count iso.languages)

say "7. The customer disables the key" "Members ask for it every 2 s here (30 s by default); three denials, and they go."
run bin/coffer dev-kms --dir .demo/kms disable "$cmk"
for member in 1 2 3; do
    for try in $(seq 300); do
        runs "$member" || break
        [ "$try" -lt 300 ] || fail "member $member still runs 30 s after the key was disabled"
        sleep 0.1
    done
    status=0
    wait "$(pid_of "$member")" 2>/dev/null || status=$?
    echo "member $member has ended with status $status"
    [ "$status" = 77 ] || fail "77 was expected"
done
echo "and nobody answers:"
status=0
run bin/coffer --timeout 2s count iso.languages || status=$?
[ "$status" = 3 ] || fail "the count ended with status $status instead of 3"

say "8. The customer enables the key" "The members start again and have what they had."
run bin/coffer dev-kms --dir .demo/kms enable "$cmk"
for member in 1 2 3; do start "$member"; done
serving 1 2 3
run bin/coffer count iso.languages
after=$(coffer count iso.languages)
[ "$after" = "$before" ] || fail "there were $before languages before, and there are $after now"
run bin/coffer hash iso

finished=yes
if [ "${KEEP:-}" = 1 ]; then
    for member in 1 2 3; do disown "$(pid_of "$member")" 2>/dev/null || true; done
    say "The replica set runs on" \
        "reach it:       bin/coffer status          (clients on 127.0.0.1:27101, 27102 and 27103)" \
        "its files:      .demo/                     (logs in .demo/member-N.log)" \
        "the dev CMK:    bin/coffer dev-kms --dir .demo/kms disable $cmk" \
        "stop it:        make demo-stop"
else
    say "That was it" "The members are stopped and .demo is removed; \`make demo KEEP=1\` leaves them running."
fi
