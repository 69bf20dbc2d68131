# shellcheck shell=bash
# The web server in front: its environment, its start on a port of its own, its responders.

# files_raise N: lets what is started from here on open N files, or as many as it may.
files_raise() {
    local wanted=$1 most
    most=$(ulimit -Hn)
    [[ $most == unlimited ]] || ((most >= wanted)) || wanted=$most
    [[ $(ulimit -Sn) == unlimited ]] || (($(ulimit -Sn) >= wanted)) || ulimit -Sn "$wanted"
}

# web_start PORT
web_start() {
    local port=$1 server gateway=fcgi count=${WORKERS-} common=()
    # Two for each request under way: a client's connection, and one to a program.
    files_raise 8192
    [[ $SERVER != *-cgi ]] || gateway=cgi
    common=(env -i PATH="$PATH" HOME="$DATA"
        ASAN_OPTIONS="${ASAN_OPTIONS-}" LSAN_OPTIONS="${LSAN_OPTIONS-}" UBSAN_OPTIONS="${UBSAN_OPTIONS-}"
        WEB_CONF="$STACK_HOME/conf" WEB_PROGRAMS="$STACK_HOME/programs/cgi-bin" WEB_DOCUMENT_ROOT="$STACK_HOME/www"
        WEB_ERRORS="$STACK_HOME/errors" WEB_ADDRESS=127.0.0.1 WEB_PORT="$port" WEB_RUN="$DATA/web"
        WEB_DEFLATE="${WEB_DEFLATE:-off}" WEB_ENV_FILE="$DATA/todo.env" WEB_ISSUER_PORT="${PORT_OF_ISSUER:-0}"
        WEB_SOCKETS="$DATA/web"
        WEB_TASKS_WORKERS="${count:-${WEB_TASKS_WORKERS:-8}}" WEB_AUTH_WORKERS="${count:-${WEB_AUTH_WORKERS:-2}}"
        WEB_ACCOUNT_WORKERS="${count:-${WEB_ACCOUNT_WORKERS:-2}}" WEB_HEALTH_WORKERS="${count:-${WEB_HEALTH_WORKERS:-1}}")
    case $SERVER in
        lighttpd*)
            server=none
            [[ $KEYS != issuer ]] || server=proxy
            spawn web "${common[@]}" WEB_GATEWAY="$gateway" WEB_ISSUER="$server" \
                lighttpd -D -f "$STACK_HOME/conf/lighttpd/server.conf"
            ;;
        apache*)
            server=()
            [[ $KEYS != issuer ]] || server+=(-D ISSUER)
            [[ $gateway != cgi ]] || server+=(-D CGI)
            if [[ $SERVER == apache-proxy ]]; then
                server+=(-D PROXY)
                responders_start
            fi
            [[ ${WEB_DEFLATE-} != on ]] || server+=(-D DEFLATE)
            spawn web "${common[@]}" WEB_PROCESSES="${WEB_PROCESSES:-16}" \
                apache2 -D FOREGROUND "${server[@]}" -f "$STACK_HOME/conf/apache/server.conf"
            ;;
        nginx)
            responders_start
            nginx_configure "$port"
            # What it says before it has read its configuration would go to a file of the system's.
            spawn web "${common[@]}" nginx -e stderr -c "$DATA/web/nginx/nginx.conf"
            ;;
    esac
}

# nginx_configure PORT: nginx knows no environment, so what differs from the sample is put into a copy of it.
nginx_configure() {
    local from=$STACK_HOME/conf/nginx to=$DATA/web/nginx file
    as_user mkdir -p "$to"
    for file in "$from"/*; do
        file=${file##*/}
        sed -e "s,/usr/local/share/todo-fcgi/nginx,$to," -e "s,/usr/local/share/todo-fcgi/errors,$STACK_HOME/errors," \
            -e "s,/run/todo-fcgi/,$DATA/web/," -e "s,/var/www/todo,$STACK_HOME/www," -e "s,/var/lib/nginx/,$to/," \
            -e "s,/run/nginx.pid,$to/pid," -e "s,/var/log/nginx/error.log,stderr," \
            -e "s,127.0.0.1:8080,127.0.0.1:$1," -e "s,127.0.0.1:3000,127.0.0.1:${PORT_OF_ISSUER:-0}," \
            "$from/$file" | {
            [[ $file == nginx.conf.sample ]] || exec cat
            printf 'daemon off;\n'
            if [[ $KEYS == issuer ]]; then sed '/^user /d'; else sed '/^user /d; /issuer\.conf;/d'; fi
        } | as_user_write "$to/${file%.sample}"
    done
}

# responders_start: the programs as a service manager would start them, each on a socket that it is given.
responders_start() {
    local program
    for program in tasks auth account health; do
        # shellcheck disable=SC2016
        spawn "responder-$program" "${common[@]}" TODO_ENV_FILE="$DATA/todo.env" bash -c '
            workers=WEB_${0^^}_WORKERS
            WORKERS=${!workers} exec spawn-fcgi -n -s "$WEB_SOCKETS/$0.sock" -b 4096 -- "$WEB_PROGRAMS/$0.fcgi"' "$program"
    done
}

# responders_stop: what responders_start started; a web server's own end with it.
responders_stop() {
    local program
    for program in tasks auth account health; do
        record_stop "responder-$program" TERM
    done
}

web_listens() {
    local pid
    pid=$(record_pid web) || return 0
    listens "$pid" "$1"
}

# web_bound PORT: the server holds its port. False, with PORT_TAKEN set, when somebody else was quicker.
web_bound() {
    PORT_TAKEN=
    if ! wait_for 30 web_listens "$1"; then
        show_log web
        fail "$SERVER does not listen"
    fi
    record_gone web || return 0
    ! grep -qi 'address already in use' "$DATA/log/web.log" || PORT_TAKEN=1
    return 1
}

# web_status PATH: the status of a GET, 000 while there is no answer; its body is in RECORDS/answer.
web_status() {
    curl -s --noproxy '*' --max-time 10 -o "$RECORDS/answer" -w '%{http_code}' "$BASE_URL$1" || true
}

web_is() { record_gone web || [[ $(web_status "$1") == "$2" ]]; }

# web_answers: every program has answered once. Only what this stack made itself must also be ready.
web_answers() {
    local path
    if ! wait_for 20 web_is /health 200 || record_gone web; then
        show_log web
        fail "the responders do not answer: GET /health is $(web_status /health)"
    fi
    for path in /auth/me /api/-/tasks /api/-/export; do
        [[ $(web_status "$path") != [05]?? ]] || {
            show_log web
            fail "the responders do not answer: GET $path is $(web_status "$path")"
        }
    done
    if [[ $OWN_DATABASE && $KEYS != caller ]]; then
        wait_for 15 web_is /ready 200 || {
            show_log web
            fail "not ready: $(<"$RECORDS/answer")"
        }
    else
        [[ $(web_status /ready) == 200 ]] || say "not ready: $(<"$RECORDS/answer")"
    fi
}

# responders_find: sets RESPONDER_PIDS.
responders_find() {
    local pids
    mapfile -t pids < <(processes_of "$STACK_HOME/programs/cgi-bin")
    RESPONDER_PIDS=${pids[*]}
}

web_stop() {
    local pid
    case ${SERVER_RUNNING-} in
        apache*) record_stop web WINCH TERM ;;
        nginx) record_stop web QUIT TERM ;;
        *) record_stop web INT TERM ;;
    esac
    responders_stop
    # A server that ended in order took its responders along; one that was killed did not.
    wait_for 1 responders_gone || for pid in $RESPONDER_PIDS; do
        record_write responder "$pid"
        record_stop responder TERM
    done
}

responders_gone() {
    responders_find
    [[ ! $RESPONDER_PIDS ]]
}
