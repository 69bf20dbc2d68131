# shellcheck shell=bash
# Better Auth on Node: its packages, its start, and a user of it for the lines to paste.

# issuer_possible: the stack's user has a Node that is new enough, and we have what installs the packages; says so when not.
issuer_possible() {
    local lack=
    if ! NODE_MAJOR=$(as_user node -p 'process.versions.node.split(".")[0]' 2>/dev/null); then
        lack='no Node here'
    elif ((NODE_MAJOR < 18)); then
        lack='this Node is older than 18'
    elif ! command -v npm >/dev/null; then
        lack='no npm here'
    fi
    [[ $lack ]] || return 0
    say "$lack: no Better Auth, tokens come from todoctl"
    return 1
}

# The packages by their lock file, once for all stacks of this clone. Installed as ourselves with nothing of theirs run,
# so that the service can't change them.
issuer_install() {
    local lock target
    lock=$(sha256sum <"$ROOT/frontend/package-lock.json")
    target=$BASE/frontend/${lock:0:16}
    if [[ ! -e $target/installed ]]; then
        (
            flock 8
            [[ ! -e $target/installed ]] || exit 0
            say 'installing Better Auth and the page of the API (npm ci)'
            rm -rf "$BASE/frontend"
            mkdir -p "$target"
            cp "$ROOT/frontend/package.json" "$ROOT/frontend/package-lock.json" "$ROOT/frontend/.npmrc" "$target/"
            if ! (cd "$target" && npm ci --ignore-scripts --omit=dev) >"$target/npm.log" 2>&1 </dev/null; then
                warn "npm ci failed (ISSUER=none does without Better Auth):"
                tail -n 15 "$target/npm.log" | sed 's/^/    /' >&2
                exit 1
            fi
            chmod -R go+rX "$target"
            touch "$target/installed"
        ) 8>"$BASE/frontend.lock"
    fi
    ln -sfn "$target/node_modules" "$STACK_HOME/frontend/node_modules"
}

# The API's description, to be read and tried in a browser: of the same packages, so it is there where Better Auth is.
docs_make() {
    node "$STACK_HOME/frontend/docs.mjs" "$ROOT/docs/openapi.yaml" "$STACK_HOME/www" || fail 'the pages of the API cannot be made'
    chmod -R go-w,a+rX "$STACK_HOME/www"
}

issuer_answers() { record_gone issuer || [[ -s $DATA/issuer.port ]]; }

# issuer_start URL DATABASE_URL: sets PORT_OF_ISSUER.
issuer_start() {
    local name port=0 given=()
    if [[ -s $STACK_HOME/issuer.port ]]; then
        port=$(<"$STACK_HOME/issuer.port")
        port_is_free "$port" || port=0
    fi
    for name in $(exported ISSUER_); do
        [[ $name == ISSUER_DATABASE_URL ]] || given+=("$name=${!name}")
    done
    ((NODE_MAJOR > 18)) || given+=(NODE_OPTIONS=--experimental-global-webcrypto)
    as_user rm -f "$DATA/issuer.port"
    # Not by env, whose command line is public.
    printf '%s' "$GENERATED_SECRET" | as_user_write "$DATA/issuer-secret"
    printf '%s' "$2" | as_user_write "$DATA/issuer-database"
    spawn issuer env -i PATH="$PATH" HOME="$DATA" BETTER_AUTH_URL="$1" BETTER_AUTH_SECRET_FILE="$DATA/issuer-secret" \
        ISSUER_DATABASE_URL_FILE="$DATA/issuer-database" \
        ISSUER_ERASE_URL="$BASE_URL${BASE_PATH-}" ISSUER_PORT="$port" ISSUER_ADDRESS_FILE="$DATA/issuer.port" ISSUER_OUTBOX="$DATA/outbox.jsonl" \
        "${given[@]}" node "$STACK_HOME/frontend/auth-server.mjs"
}

issuer_wait() {
    if ! wait_for 60 issuer_answers || record_gone issuer; then
        show_log issuer
        fail 'Better Auth does not start'
    fi
    PORT_OF_ISSUER=$(<"$DATA/issuer.port")
    [[ $PORT_OF_ISSUER =~ ^[0-9]+$ ]] || fail 'Better Auth names no port'
    printf '%s\n' "$PORT_OF_ISSUER" >"$STACK_HOME/issuer.port"
}

json_string() { sed -n 's/.*"'"$1"'":"\([^"\\]*\)".*/\1/p' | head -n 1; }

# issuer_post PATH JSON: through the web server, as a front end of its own origin would.
issuer_post() {
    printf '%s' "$2" | curl -sS --max-time 20 --noproxy '*' -H "Origin: $ORIGIN" -H 'Content-Type: application/json' \
        --data-binary @- "$BASE_URL/api/auth$1"
}

# Signs the demo user in, up first if need be; sets DEMO_USER and DEMO_TOKEN.
issuer_demo() {
    local answer session who='"email":"demo@example.com","password":"'$PASSWORD_DEMO'"'
    answer=$(issuer_post /sign-in/email "{$who}")
    session=$(json_string token <<<"$answer")
    if [[ ! $session ]]; then
        answer=$(issuer_post /sign-up/email "{$who,\"name\":\"Demo\"}")
        session=$(json_string token <<<"$answer")
    fi
    [[ $session ]] || fail "Better Auth refuses the demo user: $answer"
    DEMO_USER=$(json_string id <<<"$answer")
    DEMO_TOKEN=$(printf 'Authorization: Bearer %s' "$session" \
        | curl -sS --max-time 20 --noproxy '*' -H @- "$BASE_URL/api/auth/token" | json_string token)
    [[ $DEMO_USER && $DEMO_TOKEN ]] || fail 'Better Auth gives the demo user no token'
}
