# shellcheck shell=bash
# The private PostgreSQL: reached over a Unix socket alone, every role by a generated password; and the schema in it.

# Passwords and secrets of this stack, made once, read by us alone.
secrets_load() {
    local file=$STACK_HOME/secrets name
    [[ $DATA != */ephemeral ]] || file=$STACK_HOME/secrets-ephemeral
    if [[ ! -s $file ]]; then
        {
            for name in SUPERUSER OWNER APP ISSUER DEMO; do
                printf "PASSWORD_%s='%s'\n" "$name" "$(random_hex 24)"
            done
            printf "GENERATED_SECRET='%s'\n" "$(random_hex 32)"
        } | private_write "$file"
    fi
    # shellcheck source=/dev/null
    . "$file"
}

database_programs() {
    local version='*' folder found
    [[ ! -s $DATA/pg/PG_VERSION ]] || read -r version <"$DATA/pg/PG_VERSION"
    # shellcheck disable=SC2086
    found=$(for folder in /usr/lib/postgresql/$version/bin; do
        [[ ! -x $folder/postgres ]] || printf '%s\n' "$folder"
    done | sort -V | tail -n 1)
    [[ $found ]] || fail "no PostgreSQL server is installed${version#\*}: bin/stack deps"
    printf '%s' "$found"
}

# Unix-socket URLs name the folder in the query, the one form that libpq, sqitch and node-postgres all take.
database_url() { printf 'postgresql://%s:%s@/todo?host=%s' "$1" "$2" "$DATA/sock"; }

database_ready() {
    local pid lines
    pid=$(record_pid database) || return 0
    # The file of one that was killed still says ready.
    { mapfile -t lines <"$DATA/pg/postmaster.pid"; } 2>/dev/null || return 1
    [[ ${lines[0]-} == "$pid" && ${lines[7]-} == ready* ]]
}

# database_deserted: no process is left that works in the cluster's folder, as all of PostgreSQL's do.
database_deserted() {
    local cwd
    for cwd in /proc/[0-9]*/cwd; do
        [[ $(readlink "$cwd" 2>/dev/null) != "$DATA/pg" ]] || return 1
    done
}

# A PostgreSQL that was killed leaves its lock, and as long as nobody has fetched its remains the next one takes it for
# alive. Its children, who end a moment later, must be gone first.
database_unlock() {
    local pid
    { read -r pid <"$DATA/pg/postmaster.pid"; } 2>/dev/null || return 0
    if [[ ! $(pid_identity "$pid") ]] && wait_for 10 database_deserted; then
        as_user rm -f "$DATA/pg/postmaster.pid" "$DATA/sock/.s.PGSQL.5432" "$DATA/sock/.s.PGSQL.5432.lock"
    fi
}

database_start() {
    local programs sync=()
    local options=(-c listen_addresses= -c "unix_socket_directories=$DATA/sock" -c unix_socket_permissions=0700)
    # What lies in /dev/shm goes when its user logs out (RemoveIPC of systemd), whoever still works with it.
    options+=(-c dynamic_shared_memory_type=mmap)
    programs=$(database_programs)
    if [[ $DATA == */ephemeral ]]; then
        # What was acknowledged outlives a PostgreSQL that is killed, though not a machine that is.
        options+=(-c fsync=off -c full_page_writes=off)
        sync=(--no-sync)
    fi
    if [[ ! -s $DATA/pg/PG_VERSION ]]; then
        say 'making the database cluster'
        as_user rm -rf "$DATA/pg.new"
        printf '%s' "$PASSWORD_SUPERUSER" | as_user_write "$DATA/superuser-password"
        as_user "$programs/initdb" -D "$DATA/pg.new" --username=postgres --pwfile="$DATA/superuser-password" \
            --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 "${sync[@]}" 2>&1 \
            | as_user_write "$DATA/log/initdb.log" || {
            show_log initdb
            fail 'initdb failed'
        }
        as_user rm -f "$DATA/superuser-password"
        as_user mv "$DATA/pg.new" "$DATA/pg"
    fi
    database_unlock
    spawn database "$programs/postgres" -D "$DATA/pg" "${options[@]}"
    if ! wait_for 60 database_ready || record_gone database; then
        show_log database
        fail 'PostgreSQL does not start'
    fi
}

# database_bootstrap [HOST PORT]: roles and database, until they once were made completely.
database_bootstrap() {
    local host=${1-$DATA/sock} port=${2-5432}
    [[ ! -e $DATA/bootstrapped ]] || return 0
    # In front of the function and not behind env, whose command line is public.
    PGPASSWORD=$PASSWORD_SUPERUSER PGDATABASE=postgres DATABASE_NAME=todo APP_ROLE=todo_app \
        OWNER_PASSWORD=$PASSWORD_OWNER APP_PASSWORD=$PASSWORD_APP BETTER_AUTH_PASSWORD=$PASSWORD_ISSUER \
        as_user psql -X -q -h "$host" -p "$port" -U postgres -f "$STACK_HOME/sql/bootstrap.sql" 2>&1 \
        | as_user_write "$DATA/log/bootstrap.log" || {
        show_log bootstrap
        fail 'making the roles and the database failed'
    }
    as_user touch "$DATA/bootstrapped"
}

# The responders may read Better Auth's public keys, once it has made its tables.
database_grant_keys() {
    PGPASSWORD=$PASSWORD_SUPERUSER as_user psql -X -q -h "$DATA/sock" -U postgres -v app_role=todo_app \
        -f "$STACK_HOME/sql/optional/better_auth_keys/deploy.sql" todo 2>&1 | as_user_write "$DATA/log/keys.log" || {
        show_log keys
        fail "granting the columns of Better Auth's keys failed"
    }
}

# url_user URL: the role that a postgresql:// URL logs in as, percent-decoded.
url_user() {
    local user=${1#*://}
    user=${user%%[/?]*}
    [[ $user == *@* ]] || return 1
    user=${user%@*}
    user=${user%%:*}
    [[ $user ]] || return 1
    printf '%b' "${user//%/\\x}"
}

# schema_deploy OWNER_URL APP_URL: sqitch reads the target from a private file, since a command line is public.
schema_deploy() {
    local owner=$1 app_role
    app_role=$(url_user "$2") || fail 'DATABASE_URL names no role, so nothing can be granted to it'
    [[ $owner == postgres://* || $owner == postgresql://* ]] || fail 'OWNER_DATABASE_URL must be a postgresql:// URL'
    printf '[target "stack"]\n\turi = "db:pg://%s"\n' "${owner#*://}" | as_user_write "$DATA/sqitch.conf"
    as_user env SQITCH_USER_CONFIG="$DATA/sqitch.conf" SQITCH_FULLNAME=todo-fcgi SQITCH_EMAIL=todo-fcgi@localhost \
        PGOPTIONS='--client-min-messages=warning' \
        sqitch --chdir "$STACK_HOME/sql" deploy --set "app_role=$app_role" stack >"$RECORDS/sqitch.log" 2>&1 || {
        warn 'deploying the schema failed:'
        sed 's/^/    /' "$RECORDS/sqitch.log" >&2
        exit 1
    }
}
