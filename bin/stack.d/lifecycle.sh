# shellcheck shell=bash
# The order of things: up, down, run.

# stack_parameters: a digest of everything that decides what runs: two equal ones are the same stack.
stack_parameters() {
    local name
    {
        printf '%s\n' "$SERVER" "$MODE" "${PORT-}" "$DATA"
        for name in $(settings_given) $(exported ISSUER) $(exported WEB_) WORKERS OWNER_DATABASE_URL; do
            printf '%s=%s\n' "$name" "${!name-}"
        done
        cd "$ROOT" || exit
        find "build/$MODE" sql apache lighttpd frontend docs/openapi.yaml bin/nginx bin/stack bin/stack.d \
            -name node_modules -prune -o -type f ! -path 'build/*.[ado]' ! -path 'build/*/tests/*' -print0 \
            | sort -z | xargs -0 sha256sum
    } | sha256sum
}

stack_alive() {
    local name
    [[ -s $RUN_DIR/stack.env && -s $RECORDS/parameters ]] || return 1
    for name in web database issuer; do
        [[ ! -e $RECORDS/$name ]] || ! record_gone "$name" || return 1
    done
    [[ -e $RECORDS/web ]]
}

# Copies of what runs, where the stack's user can reach it whatever the clone's own mode.
stack_stage() {
    local folder
    for folder in programs conf sql www errors frontend; do
        rm -rf "${STACK_HOME:?}/$folder"
        mkdir "$STACK_HOME/$folder"
    done
    mkdir "$STACK_HOME/programs/cgi-bin" "$STACK_HOME/programs/bin"
    cp "$ROOT/build/$MODE/cgi-bin/"*.fcgi "$STACK_HOME/programs/cgi-bin/"
    # What else the build folder holds are objects, not programs.
    find "$ROOT/build/$MODE/bin" -maxdepth 1 -type f -perm -u+x -exec cp -t "$STACK_HOME/programs/bin" {} + 2>/dev/null || true
    cp -R "$ROOT/apache" "$ROOT/lighttpd" "$ROOT/bin/nginx" "$STACK_HOME/conf/"
    cp -R "$ROOT/sql/." "$STACK_HOME/sql/"
    cp -R "$ROOT/frontend/public/." "$STACK_HOME/www/"
    cp -R "$ROOT/frontend/errors/." "$STACK_HOME/errors/"
    cp "$ROOT/frontend/"*.mjs "$ROOT/frontend/package.json" "$STACK_HOME/frontend/"
    chmod -R u+w,go-w,a+rX "$STACK_HOME"/{programs,conf,sql,www,errors,frontend}
}

stack_port() {
    local port
    if [[ ${PORT:-0} != 0 ]]; then
        printf '%s' "$PORT"
        return
    fi
    if [[ -s $STACK_HOME/port ]]; then
        port=$(<"$STACK_HOME/port")
        if [[ $port =~ ^[0-9]+$ ]] && port_is_free "$port"; then
            printf '%s' "$port"
            return
        fi
    fi
    # Below the range that the kernel gives to outgoing connections.
    until port=$((20000 + RANDOM % 10000)) && port_is_free "$port"; do :; done
    printf '%s' "$port"
}

# Who makes the keys: the caller, Better Auth, or nobody (a secret that todoctl signs with).
stack_keys() {
    if [[ $SERVER == none ]]; then
        KEYS=none
    elif given JWKS_FILE JWKS_URL BETTER_AUTH_SECRET || { [[ ! $OWN_DATABASE ]] && given JWKS_TABLE; }; then
        KEYS=caller
    elif [[ ${ISSUER-} == none ]]; then
        KEYS=generated
    elif [[ ! $OWN_DATABASE && ! ${ISSUER_DATABASE_URL-} ]]; then
        say 'no ISSUER_DATABASE_URL beside your DATABASE_URL: no Better Auth, tokens come from todoctl'
        KEYS=generated
    elif issuer_possible; then
        KEYS=issuer
    else
        KEYS=generated
    fi
}

origin_of() { sed -E 's,^([a-z]+://[^/]+).*,\1,' <<<"$1"; }

# stack_start: everything on one port; false when that port was taken from us meanwhile.
stack_start() {
    local port
    port=$(stack_port)
    BASE_URL=http://127.0.0.1:$port
    PUBLIC_URL=${BETTER_AUTH_URL:-$BASE_URL}
    ORIGIN=$(origin_of "$PUBLIC_URL")
    if [[ $KEYS == issuer ]]; then
        issuer_start "$PUBLIC_URL" "${ISSUER_DATABASE_URL:-$OWN_ISSUER_DATABASE_URL}"
    fi
    # While Better Auth starts, the schema is brought up to date.
    if [[ $OWN_DATABASE || ${OWNER_DATABASE_URL-} ]]; then
        schema_deploy "${OWNER_DATABASE_URL:-$OWN_OWNER_DATABASE_URL}" "${TODO_DATABASE_URL:-${DATABASE_URL:-$APP_DATABASE_URL}}"
    fi
    if [[ $KEYS == issuer ]]; then
        issuer_wait
        ! given JWKS_TABLE || database_grant_keys
    fi
    settings_write
    settings_check
    web_start "$port"
    if ! web_bound "$port"; then
        if [[ $PORT_TAKEN && ${PORT:-0} == 0 ]]; then
            record_stop web TERM
            responders_stop
            record_stop issuer TERM
            return 1
        fi
        show_log web
        fail "$SERVER does not start"
    fi
    printf '%s\n' "$port" >"$STACK_HOME/port"
    web_answers
    responders_find
}

shell_variable() { printf "%s='%s'\n" "$1" "${2//\'/\'\\\'\'}"; }

stack_env_write() {
    {
        printf '# What runs now; read by a shell or by tests.\n'
        shell_variable BASE_URL "$BASE_URL"
        shell_variable DATABASE_URL "${TODO_DATABASE_URL:-${DATABASE_URL:-$APP_DATABASE_URL}}"
        shell_variable OWNER_DATABASE_URL "${OWNER_DATABASE_URL:-$OWN_OWNER_DATABASE_URL}"
        shell_variable WEB_PID "$(record_pid web || true)"
        shell_variable DATABASE_PID "$(record_pid database || true)"
        shell_variable RESPONDER_PIDS "$RESPONDER_PIDS"
        shell_variable ISSUER_PID "$(record_pid issuer || true)"
        if [[ $KEYS == issuer ]]; then
            shell_variable ISSUER_URL "http://127.0.0.1:$PORT_OF_ISSUER"
            shell_variable ISSUER_DATABASE_URL "${ISSUER_DATABASE_URL:-$OWN_ISSUER_DATABASE_URL}"
            shell_variable ISSUER_SECRET "$GENERATED_SECRET"
            shell_variable ISSUER_OUTBOX "${ISSUER_OUTBOX:-$DATA/outbox.jsonl}"
        fi
        [[ ! $OWN_DATABASE ]] || shell_variable SUPERUSER_DATABASE_URL "$(database_url postgres "$PASSWORD_SUPERUSER")"
        shell_variable PUBLIC_URL "$PUBLIC_URL"
        shell_variable SERVER "$SERVER"
        shell_variable MODE "$MODE"
        shell_variable KEYS "$KEYS"
        shell_variable RUN_USER "$RUN_USER"
        shell_variable TODO_ENV_FILE "$DATA/todo.env"
        shell_variable STATE_DIR "${STATE_DIR:-$DATA/state}"
        shell_variable LOG_DIR "$DATA/log"
        shell_variable PROGRAMS "$STACK_HOME/programs"
        shell_variable DOCUMENT_ROOT "$STACK_HOME/www"
    } | private_write "$RUN_DIR/stack.env"
}

stack_up() {
    local program parameters try
    SERVER=${SERVER:-lighttpd}
    MODE=${MODE:-release}
    case $SERVER in
        lighttpd | lighttpd-cgi | apache | apache-proxy | apache-cgi | nginx | none) ;;
        *) fail 'SERVER is lighttpd, apache, apache-proxy, lighttpd-cgi, apache-cgi, nginx or none' ;;
    esac
    [[ ${PORT:-0} =~ ^[0-9]{1,5}$ && $((10#${PORT:-0})) -lt 65536 ]] || fail 'PORT is no port'
    for program in cgi-bin/tasks.fcgi cgi-bin/auth.fcgi cgi-bin/account.fcgi cgi-bin/health.fcgi; do
        [[ -x $ROOT/build/$MODE/$program ]] || fail "build/$MODE/$program is missing: make MODE=$MODE builds it"
    done

    parameters=$(stack_parameters)
    if stack_alive && [[ $(<"$RECORDS/parameters") == "$parameters" ]]; then
        # shellcheck source=/dev/null
        BASE_URL=$(. "$RUN_DIR/stack.env" && printf '%s' "$BASE_URL")
        if [[ $(web_status /health) == 200 ]]; then
            say "already up: $BASE_URL"
            ALREADY_UP=1
            return
        fi
    fi
    stack_stop

    # From here on a failure, or Ctrl-C, leaves nothing behind.
    trap 'stack_stop' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    data_open
    secrets_load
    stack_stage
    printf '%s\n' "$SERVER" >"$RECORDS/server"
    printf '%s\n' "$DATA" >"$RECORDS/data"
    OWN_DATABASE=1
    ! given DATABASE_URL TODO_DATABASE_URL || OWN_DATABASE=
    APP_DATABASE_URL='' OWN_OWNER_DATABASE_URL='' OWN_ISSUER_DATABASE_URL=''
    stack_keys
    if [[ $KEYS == issuer ]]; then
        issuer_install
        docs_make
    fi
    if [[ $OWN_DATABASE ]]; then
        APP_DATABASE_URL=$(database_url todo_app "$PASSWORD_APP")
        OWN_OWNER_DATABASE_URL=$(database_url todo_owner "$PASSWORD_OWNER")
        OWN_ISSUER_DATABASE_URL=$(database_url better_auth "$PASSWORD_ISSUER")
        database_start
        database_bootstrap
    fi
    if [[ $SERVER == none ]]; then
        [[ $OWN_DATABASE ]] || fail 'with SERVER=none and a DATABASE_URL of yours there is nothing to start'
        BASE_URL='' PUBLIC_URL='' RESPONDER_PIDS=''
        schema_deploy "$OWN_OWNER_DATABASE_URL" "$APP_DATABASE_URL"
    else
        for try in 1 2 3 4 5; do
            ! stack_start || break
            ((try < 5)) || fail 'every free port was taken before we had it'
        done
    fi
    stack_env_write
    printf '%s\n' "$parameters" >"$RECORDS/parameters"
    trap - EXIT INT TERM HUP
    say "up: ${BASE_URL:-the database} ($SERVER)"
}

# stack_stop: ends whatever is recorded, however much of it still lives.
stack_stop() {
    [[ -d $RECORDS ]] || return 0
    { read -r SERVER_RUNNING <"$RECORDS/server"; } 2>/dev/null || SERVER_RUNNING=
    rm -f "$RUN_DIR/stack.env" "$RECORDS/parameters"
    web_stop
    record_stop issuer TERM
    record_stop database INT QUIT
}

stack_down() {
    stack_stop
    if [[ -d $STACK_HOME/ephemeral ]]; then
        rm -rf "${STACK_HOME:?}/ephemeral" "$STACK_HOME/secrets-ephemeral"
        [[ -d $STACK_HOME/data ]] || rm -rf "${STACK_HOME:?}"
    fi
    # Where there was no stack any more, this command itself has made them.
    rmdir --ignore-fail-on-non-empty "$STACK_HOME" "$RUN_DIR" 2>/dev/null || true
    say 'down'
}

# stack_database stop|start: as if the database had gone away by itself, for whoever wants to see what then happens.
stack_database() {
    [[ -e $RECORDS/database ]] || fail 'no private database is running'
    DATA=$(<"$RECORDS/data")
    case $1 in
        stop)
            as_user_kill INT "$(record_pid database)"
            wait_for 20 record_gone database || fail 'the database does not stop'
            ;;
        start)
            ! record_gone database || database_start
            sed "s/^DATABASE_PID=.*/DATABASE_PID='$(record_pid database)'/" "$RUN_DIR/stack.env" \
                | private_write "$RUN_DIR/stack.env"
            ;;
        *) fail 'bin/stack database stop|start' ;;
    esac
}

# stack_demo: a user with a token, from whoever makes the keys; sets DEMO_USER and DEMO_TOKEN, empty when only the caller could.
stack_demo() {
    DEMO_USER=demo DEMO_TOKEN=
    if [[ $KEYS == issuer ]]; then
        issuer_demo
    elif [[ $KEYS == generated ]] || given BETTER_AUTH_SECRET; then
        DEMO_TOKEN=$(as_user env -i PATH="$PATH" HOME="$DATA" TODO_ENV=development TODO_ENV_FILE="$DATA/todo.env" \
            "$STACK_HOME/programs/bin/todoctl" token --user "$DEMO_USER") || fail 'todoctl makes no token'
    fi
}

stack_lines() {
    local tasks auth
    stack_demo
    printf '\n  URL    %s\n' "$BASE_URL"
    if [[ ! $DEMO_TOKEN ]]; then
        printf '  The keys are yours, and so are the tokens.\n'
        return
    fi
    tasks=$BASE_URL/api/$DEMO_USER/tasks
    auth="-H 'Authorization: Bearer $DEMO_TOKEN'"
    printf '  user   %s\n  token  %s\n\nlist, create, list again:\n\n' "$DEMO_USER" "$DEMO_TOKEN"
    printf "curl -sS -w '\\\\n' %s %s\n\n" "$auth" "$tasks"
    printf "curl -sS -w '\\\\n' %s -H 'Content-Type: application/json' -d '%s' %s\n\n" "$auth" '{"title":"Buy milk","tags":["shop"]}' "$tasks"
    printf "curl -sS -w '\\\\n' %s %s\n\n" "$auth" "$tasks"
}

# stack_run: up, and lines to paste; then nothing is heard until Ctrl-C or trouble.
stack_run() {
    local name web
    [[ ${SERVER-} != none ]] || fail 'SERVER=none goes with up'
    stack_up
    # Ctrl-C is how this ends when all is well.
    trap 'exit 0' INT
    trap 'exit 143' TERM HUP
    trap 'flock 9; stack_down' EXIT
    if [[ ${ALREADY_UP-} ]]; then
        # shellcheck source=/dev/null
        . "$RUN_DIR/stack.env"
        ORIGIN=$(origin_of "$PUBLIC_URL")
        secrets_load
    fi
    stack_lines
    say "logs: $DATA/log"
    if [[ -t 0 ]]; then
        say 'Enter prints lines with a fresh token, Ctrl-C stops everything'
    else
        say 'Ctrl-C stops everything'
    fi
    web=$(record_pid web) || web=
    flock -u 9
    while :; do
        if [[ ! -e $RECORDS/web || $(record_pid web) != "$web" ]] && [[ ! -s $RECORDS/parameters || $(record_pid web) ]]; then
            trap - EXIT
            say 'stopped by another bin/stack'
            return
        fi
        for name in web issuer database; do
            if [[ -e $RECORDS/$name ]] && record_gone "$name"; then
                show_log "$name"
                fail "$name has ended by itself"
            fi
        done
        # Without a terminal, or at its end, there is nobody to press Enter.
        if [[ -t 0 ]] && read -r -t 1; then
            stack_lines
        elif (($? <= 128)); then
            sleep 1
        fi
    done
}
