# shellcheck shell=bash
# What every part of bin/stack uses: where things lie, who runs them, and processes that are known by more than a number.

say() { printf 'stack: %s\n' "$*"; }
warn() { printf 'stack: %s\n' "$*" >&2; }
fail() { warn "$*"; exit 1; }

# wait_for SECONDS COMMAND...: until COMMAND succeeds; false when the time is up.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
}

# exported PREFIX: prints the names that the caller's environment holds.
exported() { compgen -e "$1" || true; }

random_hex() { od -An -v -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

# private_write FILE: standard input becomes that file, ours alone, all of it or none.
private_write() { (umask 077 && cat >"$1.new" && mv -f "$1.new" "$1"); }

# --- where and who -------------------------------------------------------------------------------------------------

# Chooses the folders and the user, and creates nothing yet.
#   RUN_DIR     in the clone: stack.env
#   BASE        this clone's lasting folder; STACK_HOME: this stack's, with DATA and RECORDS in it
#   RUN_USER    whose processes they are: ours, or one without rights when we are root
stack_choose() {
    local name=${STACK-} hash
    [[ $name =~ ^([a-z0-9][a-z0-9-]{0,19})?$ ]] || fail 'STACK takes up to 20 of a-z, 0-9 and -'
    name=run${name:+-$name}
    RUN_DIR=$ROOT/build/$name
    hash=$(printf '%s' "$ROOT" | sha256sum)
    hash=${hash:0:8}

    if ((EUID == 0)); then
        RUN_USER=todo-fcgi
        BASE=/var/lib/todo-fcgi/$hash
    else
        RUN_USER=$(id -un)
        BASE=$ROOT/build
        # A socket's path is cut at 107 bytes, STATE_DIR may have 80, and what lies under /tmp is everybody's.
        if [[ $ROOT/ == /tmp/* || $ROOT/ == /var/tmp/* ]] || ((${#BASE} + ${#name} > 62)); then
            BASE=${XDG_STATE_HOME:-$HOME/.local/state}/todo-fcgi/$hash
        fi
    fi
    ((${#BASE} + ${#name} <= 62)) || fail "the path $BASE is too long for the sockets below it"
    STACK_HOME=$BASE/$name
    RECORDS=$STACK_HOME/records
    if [[ ${STACK_EPHEMERAL-} == 1 ]]; then
        DATA=$STACK_HOME/ephemeral
    else
        DATA=$STACK_HOME/data
    fi
}

# Makes the folders. As root, all but DATA stay root's, so that the service can change neither what it runs nor what we read.
stack_open() {
    local folder
    # The caller's settings for libpq and the like are meant for other databases. Debian's psql would take the port of the
    # system's own cluster where none is given.
    unset "${!PG@}" CDPATH
    export LC_ALL=C.UTF-8 PATH=$PATH:/usr/sbin:/sbin PGPORT=5432
    umask 022
    stack_choose
    if ((EUID == 0)); then
        user_ensure
        DROP=(setpriv "--reuid=$(id -u "$RUN_USER")" "--regid=$(id -g "$RUN_USER")" --clear-groups --inh-caps=-all --)
        for folder in /var/lib/todo-fcgi "$BASE"; do
            # Another stack of this clone may be making it at this moment.
            mkdir -m 0755 "$folder" 2>/dev/null || [[ -d $folder ]] || fail "cannot make $folder"
            [[ ! -L $folder ]] || fail "$folder is a link"
            [[ -O $folder ]] || fail "$folder belongs to somebody else"
        done
    else
        DROP=(env --)
        mkdir -p "$BASE"
        [[ -O $BASE ]] || fail "$BASE belongs to somebody else"
    fi
    mkdir -p "$RUN_DIR" "$STACK_HOME"
    # One command at a time; the file stays when the stack goes, or two commands could hold two locks.
    exec 9>"$BASE/${STACK_HOME##*/}.lock"
    flock -n 9 || {
        say 'waiting for another bin/stack of this clone'
        flock 9
    }
}

data_open() {
    mkdir -p "$RECORDS"
    if [[ ! -d $DATA ]]; then
        mkdir -m 0700 "$DATA"
        ((EUID != 0)) || chown "$RUN_USER:" "$DATA"
    fi
    as_user mkdir -p -m 0700 "$DATA/log" "$DATA/web" "$DATA/state" "$DATA/sock"
    # A verdict of the stack before must not be taken for this one's.
    as_user rm -f "$DATA/state/ready"
    # Nobody needs more than the last start's logs and those of the one before.
    # shellcheck disable=SC2016
    as_user bash -c 'for log in "$0"/log/*.log; do [[ ! -s $log ]] || mv -f "$log" "$log.old"; done' "$DATA"
}

user_ensure() {
    ! id "$RUN_USER" >/dev/null 2>&1 || return 0
    say "creating the system user $RUN_USER, who runs everything that root should not"
    useradd --system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin "$RUN_USER"
}

# as_user COMMAND...: as the stack's user, from a folder that user can stand in.
as_user() { (cd / && HOME=$DATA exec "${DROP[@]}" "$@" 9>&-); }

# as_user_write FILE: standard input becomes that private file of the stack's user, all of it or none.
# shellcheck disable=SC2016
as_user_write() { as_user bash -c 'umask 077 && cat >"$0.new" && mv -f "$0.new" "$0"' "$1"; }

# as_user_kill SIGNAL PID: with the shell's own kill, since a small system has no other.
# shellcheck disable=SC2016
as_user_kill() { as_user bash -c 'kill -s "$0" "$1"' "$1" "$2" 2>/dev/null || true; }

# --- processes -----------------------------------------------------------------------------------------------------

# A number alone may by now be somebody else's process: with its start time and the boot it is one process for ever.
# pid_identity PID: prints both; nothing when there is no such process, or only its remains.
pid_identity() {
    local stat boot
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
    read -r boot </proc/sys/kernel/random/boot_id
    # The name, in brackets, may hold blanks and brackets.
    read -ra stat <<<"${stat##*) }"
    [[ ${stat[0]} != [ZX] ]] || return 0
    printf '%s %s' "${stat[19]}" "$boot"
}

record_write() { printf '%s %s\n' "$2" "$(pid_identity "$2")" >"$RECORDS/$1"; }

# record_pid NAME: prints the pid of the process recorded under NAME if it is still that process.
record_pid() {
    local pid identity
    { read -r pid identity <"$RECORDS/$1"; } 2>/dev/null || return 1
    [[ $pid && $identity && $identity == "$(pid_identity "$pid")" ]] || return 1
    printf '%s' "$pid"
}

# spawn NAME COMMAND...: in the background as the stack's user, in a session of its own so that Ctrl-C does not reach it,
# holding nothing open of ours (a caller that reads our output to its end would wait for ever). Its log is NAME.log.
spawn() {
    local name=$1
    shift
    # shellcheck disable=SC2016
    (cd "$DATA" && HOME=$DATA exec setsid "${DROP[@]}" bash -c '
        exec </dev/null >>"$0" 2>&1
        for fd in /proc/$$/fd/*; do
            fd=${fd##*/}
            case $fd in 0|1|2|255) ;; *) eval "exec $fd>&-" ;; esac
        done
        exec "$@"' "$DATA/log/$name.log" "$@") &
    record_write "$name" $!
}

record_gone() { ! record_pid "$1" >/dev/null; }

# record_stop NAME SIGNAL...: sends one signal after the other, some seconds apart, until the process is gone; KILL at
# last. As the stack's user: a record that lies can hurt nobody else's process.
record_stop() {
    local name=$1 signal pid
    shift
    if pid=$(record_pid "$name"); then
        for signal in "$@" KILL; do
            as_user_kill "$signal" "$pid"
            ! wait_for 8 record_gone "$name" || break
            warn "$name does not stop at $signal"
        done
        record_gone "$name" || fail "$name (process $pid) cannot be stopped"
    fi
    rm -f "$RECORDS/$name"
}

# processes_of FOLDER: prints the pid of every process whose program lies there, also one that lost its parent. By the
# command line, since a program that keeps secrets hides more than that, and without ps, which a small system may not have.
processes_of() {
    local file program
    for file in /proc/[0-9]*/cmdline; do
        { IFS= read -r -d '' program <"$file"; } 2>/dev/null || continue
        [[ $program != "$1"/* ]] || printf '%s\n' "${file//[!0-9]/}"
    done
}

# listens PID PORT: that very process listens there, and not another that was quicker.
listens() {
    local hex inode link
    printf -v hex ':%04X' "$2"
    while read -r inode; do
        for link in "/proc/$1/fd"/*; do
            [[ $(readlink "$link" 2>/dev/null) != "socket:[$inode]" ]] || return 0
        done
    done < <(awk -v port="$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10 }' /proc/net/tcp)
    return 1
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# show_log NAME: the end of a log, for a person who must see why.
show_log() {
    local log=$DATA/log/$1.log
    [[ -s $log ]] || return 0
    warn "the end of $log:"
    # As whose it is, who could have put a link in its place to what only we may read.
    as_user tail -n 15 "$log" 2>&1 | sed 's/^/    /' >&2 || true
}
