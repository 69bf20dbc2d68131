# shellcheck shell=bash
# The responders' settings: what this stack decides, and whatever the caller has set beside it.

# settings_given: prints the name of every setting that the caller's environment holds. An empty one counts as absent.
# A name that only looks like ours goes along, so that the responders refuse it here as they would anywhere.
settings_given() {
    local name known
    known=$(sed -n 's/^SETTING(\([A-Z0-9_]*\),.*/\1|\1_FILE/p' "$ROOT/lib/base/config.def" | tr '\n' '|')
    while read -r name; do
        [[ -z ${!name} ]] || printf '%s\n' "$name"
    done < <(compgen -e | grep -xE "${known%|}|(TODO|JWT|JWKS|AUTH)_.*" | grep -vx TODO_ENV_FILE || true)
}

# given NAME...: the caller has set one of these, or the file that holds it.
given() {
    local name file
    for name in "$@"; do
        file=${name}_FILE
        [[ -z ${!name-} && -z ${!file-} ]] || return 0
    done
    return 1
}

# setting NAME VALUE: a line of the dotenv file, in whichever quotes the value does not hold.
setting() {
    local quote
    for quote in "'" '`' '"'; do
        if [[ $2 != *"$quote"* && ($quote != '"' || $2 != *\\*) ]]; then
            printf '%s=%s%s%s\n' "$1" "$quote" "$2" "$quote"
            return
        fi
    done
    fail "$1 holds every kind of quote"
}

# settings_check: what a responder says of its settings, heard once here instead of over and over behind a web server.
settings_check() {
    # Without a socket on standard input it is a CGI program that answers one request, here one without a token.
    # shellcheck disable=SC2016
    as_user env -i PATH="$PATH" TODO_ENV_FILE="$DATA/todo.env" ASAN_OPTIONS="${ASAN_OPTIONS-}" GATEWAY_INTERFACE=CGI/1.1 \
        SERVER_PROTOCOL=HTTP/1.1 REQUEST_METHOD=GET REQUEST_URI=/api/-/tasks REMOTE_ADDR=127.0.0.1 \
        bash -c '"$0" </dev/null >"$1" 2>&1' "$STACK_HOME/programs/cgi-bin/tasks.fcgi" "$DATA/log/settings.log" || {
        show_log settings
        fail 'the responders do not start'
    }
}

# settings_write: the file that TODO_ENV_FILE names.
settings_write() {
    local name value
    {
        given DATABASE_URL TODO_DATABASE_URL || setting DATABASE_URL "$APP_DATABASE_URL"
        given BETTER_AUTH_URL || setting BETTER_AUTH_URL "$PUBLIC_URL"
        given STATE_DIR || setting STATE_DIR "$DATA/state"
        case $KEYS in
            issuer)
                if [[ ${ISSUER_ALG-} == HS256 ]]; then
                    setting BETTER_AUTH_SECRET "$GENERATED_SECRET"
                else
                    if ! given JWKS_TABLE; then
                        setting JWKS_URL "http://127.0.0.1:$PORT_OF_ISSUER/api/auth/jwks"
                        given JWKS_INSECURE_LOOPBACK || setting JWKS_INSECURE_LOOPBACK 1
                    fi
                    # These two ask for the secret beside the keys; nothing else gets to see it.
                    ! given AUTH_COOKIE JWT_SHARED_SECRET || setting BETTER_AUTH_SECRET "$GENERATED_SECRET"
                fi
                ;;
            generated) setting BETTER_AUTH_SECRET "$GENERATED_SECRET" ;;
        esac
        for name in $(settings_given); do
            value=${!name}
            if [[ $name == *_FILE && -r $value ]] && ! as_user test -r "$value"; then
                as_user_write "$DATA/$name" <"$value"
                value=$DATA/$name
            fi
            setting "$name" "$value"
        done
    } | as_user_write "$DATA/todo.env"
}
