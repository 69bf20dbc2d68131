# shellcheck shell=bash
# Packages: installs what is missing, and leaves no service of theirs started or enabled.

POLICY=/usr/sbin/policy-rc.d
POLICY_MARK='todo-fcgi: no package starts a service while packages are installed'
CLUSTER_CONF=/etc/postgresql-common/createcluster.d/todo-fcgi.conf

# deps_names SECTION...: the packages of these sections.
deps_names() {
    local wanted=" $* "
    if [[ $wanted == *' run '* ]] && ! command -v node >/dev/null; then
        wanted+='node '
    fi
    awk -v wanted="$wanted" '
        /^# \[/ { section = substr($2, 2, length($2) - 2); next }
        /^[a-z0-9]/ && index(wanted, " " section " ") { print $1 }' "$ROOT/apt-packages.txt"
}

installed_packages() { dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort -u; }

deps_main() {
    local section missing
    (($#)) || set -- run
    for section in "$@"; do
        grep -q "^# \[$section\]" "$ROOT/apt-packages.txt" || fail "apt-packages.txt has no section $section"
    done
    command -v dpkg-query >/dev/null || fail "this is no Debian: install what apt-packages.txt names in your system's way"
    mapfile -t missing < <(comm -23 <(deps_names "$@" | sort -u) <(installed_packages))
    ((${#missing[@]})) || return 0
    if ((EUID != 0)); then
        warn 'these packages are missing; install them with'
        printf '\n    sudo apt-get update && sudo apt-get install --no-install-recommends %s\n\n' "${missing[*]}" >&2
        warn "(that starts the services among them, and a default PostgreSQL cluster; sudo bin/stack deps $* does not)"
        exit 1
    fi
    say "installing ${missing[*]}"
    deps_install "${missing[@]}"
}

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        -o Dpkg::Options::=--force-confold "$@"
}

deps_install() {
    local before after
    before=$(installed_packages)
    deps_keep_quiet
    trap deps_restore EXIT
    if ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; then
        apt update
    fi
    # An old list names versions that are gone.
    apt install --no-install-recommends "$@" || { apt update && apt install --no-install-recommends "$@"; }
    after=$(installed_packages)
    comm -13 <(printf '%s\n' "$before") <(printf '%s\n' "$after") | deps_disable
    deps_restore
    trap - EXIT
}

# While packages are unpacked nothing starts, and PostgreSQL makes no cluster of its own. What the administrator has put
# in either place stays as it is.
deps_keep_quiet() {
    if (set -C && printf '#!/bin/sh\n# %s\nexit 101\n' "$POLICY_MARK" >"$POLICY") 2>/dev/null; then
        chmod 0755 "$POLICY"
    fi
    mkdir -p "${CLUSTER_CONF%/*}"
    printf 'create_main_cluster = false\n' >"$CLUSTER_CONF"
}

deps_restore() {
    if grep -qsF "$POLICY_MARK" "$POLICY"; then
        rm -f "$POLICY"
    fi
    rm -f "$CLUSTER_CONF"
    rmdir --ignore-fail-on-non-empty -p "${CLUSTER_CONF%/*}" 2>/dev/null || true
}

# deps_disable: what the packages on standard input have brought along to run by itself is stopped and switched off.
deps_disable() {
    local package file unit
    while read -r package; do
        while read -r file; do
            unit=${file##*/}
            case $file in
                *@.*) ;;
                /lib/systemd/system/*.service | /lib/systemd/system/*.timer | /lib/systemd/system/*.socket | \
                    /usr/lib/systemd/system/*.service | /usr/lib/systemd/system/*.timer | /usr/lib/systemd/system/*.socket)
                    [[ ! -d /run/systemd/system ]] || systemctl stop "$unit" || true
                    deb-systemd-helper disable "$unit" >/dev/null 2>&1 || true
                    ;;
                /etc/init.d/*)
                    # Only a policy of the administrator's own can have let it start.
                    grep -qsF "$POLICY_MARK" "$POLICY" || "$file" stop >/dev/null 2>&1 || true
                    update-rc.d "$unit" disable >/dev/null 2>&1 || true
                    ;;
            esac
        done < <(dpkg-query -L "$package" 2>/dev/null)
    done
}
