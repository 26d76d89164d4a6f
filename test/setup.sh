# Sourced by test/run and test/demo: packages, a copy of the tree, a build, an
# installation, an unprivileged user.  The caller has set "top", the root of
# the source tree.
#
# Sets: PG_CONFIG, work (a directory of its own, removed at exit), runner (the
# user that runs servers), as_root (empty, or sudo).

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# The time since $1, which is a value of EPOCHREALTIME, in seconds.
since() {
	local now=${EPOCHREALTIME/[.,]/} then=${1/[.,]/}
	local ms=$(((now - then) / 1000))
	printf '%d.%01d s' $((ms / 1000)) $((ms % 1000 / 100))
}

# Run a step quietly; if it fails show the end of what it said.
step() {
	local title=$1 began=$EPOCHREALTIME
	shift
	printf '%s ... ' "$title"
	if "$@" >"$work/step.log" 2>&1 </dev/null; then
		say "done ($(since "$began"))"
	else
		say "FAILED ($(since "$began"))"
		tail -n 60 "$work/step.log"
		exit 1
	fi
}

setup_start() {
	umask 022
	export LC_ALL=C.UTF-8
	if [ "$(id -u)" = 0 ]; then
		as_root=
	else
		as_root=sudo
	fi
	work=$(mktemp -d "${TMPDIR:-/tmp}/topgun.XXXXXX")
	trap 'status=$?; cd /; rm -rf "$work"; exit $status' EXIT
	trap 'exit 130' INT TERM HUP
}

is_installed() {
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

apt_install() {
	export DEBIAN_FRONTEND=noninteractive
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update &&
		$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-upgrade \
			--no-install-recommends -o Dpkg::Use-Pty=0 "$@"
}

# Install those of the named packages that are missing; touch no other.
setup_packages() {
	command -v dpkg-query >/dev/null || return 0
	local package missing=()
	for package in "$@"; do
		is_installed "$package" || missing+=("$package")
	done
	[ ${#missing[@]} = 0 ] || step "installing ${missing[*]}" apt_install "${missing[@]}"
}

# What a build needs.  Somebody who names a PG_CONFIG brings the server.
setup_build_packages() {
	local packages=(build-essential libxxhash-dev)
	if [ -z "${PG_CONFIG:-}" ]; then
		packages+=(postgresql-15 postgresql-server-dev-15 libpq-dev libkrb5-dev)
	fi
	setup_packages "${packages[@]}" "$@"
	if [ -z "${PG_CONFIG:-}" ]; then
		PG_CONFIG=/usr/lib/postgresql/15/bin/pg_config
		[ -x "$PG_CONFIG" ] || PG_CONFIG=$(command -v pg_config) ||
			die "no pg_config found; set PG_CONFIG"
	fi
	export PG_CONFIG
	bindir=$("$PG_CONFIG" --bindir)
}

# PostgreSQL does not run as root.
setup_runner() {
	runner=$(id -un)
	if [ "$runner" = root ]; then
		runner=nobody
		! id postgres >/dev/null 2>&1 || runner=postgres
		chown "$runner" "$work"
	fi
}

# Run a command as that user, in the copy of the tree, without our input.
as_runner() {
	if [ "$(id -un)" = "$runner" ]; then
		(cd "$work/topgun" && exec env HOME="$work" "$@" </dev/null)
	else
		(cd "$work/topgun" && exec runuser -u "$runner" -- env HOME="$work" "$@" </dev/null)
	fi
}

copy_tree() {
	mkdir "$work/topgun" &&
		tar -C "$top" --exclude=./.git --exclude='*.o' --exclude='*.bc' --exclude='*.so' \
			--exclude='./topgun--*.sql' --exclude=./tmp_check -cf - . | tar -C "$work/topgun" -xf - &&
		if [ "$(id -un)" != "$runner" ]; then chown -R "$runner" "$work/topgun"; fi
}

build_tree() {
	as_runner make -s -j"$(nproc)" PG_CONFIG="$PG_CONFIG" with_llvm=no COPT=-Werror
}

install_tree() {
	local sudo=$as_root
	[ ! -w "$("$PG_CONFIG" --pkglibdir)" ] || sudo=
	(cd "$work/topgun" && $sudo make -s PG_CONFIG="$PG_CONFIG" with_llvm=no install)
}

# Build a copy of the tree, with warnings as errors, and install it.
setup_extension() {
	setup_runner
	copy_tree || die "cannot copy the source tree"
	step "building for $("$PG_CONFIG" --version)" build_tree
	step "installing" install_tree
}
