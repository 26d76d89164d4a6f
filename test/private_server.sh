# Sourced by tests that install things: a server of their own that is a copy of
# the one that PG_CONFIG names, in a temporary directory.
#
#	private_begin NAME		makes the directory: work
#	private_server			copies the server: private_config, its pg_config
#	private_start SETTING...	starts it: private_socket_dir, private_port
#	private_psql DATABASE ...	a client
#	private_stop
#
# A server finds its files relative to its program, so a copy is complete in
# itself; what is not a program is linked.

private_begin() {
	umask 022
	export LC_ALL=C.UTF-8
	work=$(mktemp -d "${TMPDIR:-/tmp}/$1.XXXXXX") || return
	private_data=$work/data
	private_socket_dir=$work
	private_port=5432
	trap 'status=$?; cd /; private_stop; rm -rf "$work"; exit $status' EXIT
	trap 'exit 130' INT TERM HUP
}

# The extension itself is left out.
private_server() {
	local bindir libdir sharedir
	bindir=$("$PG_CONFIG" --bindir)
	libdir=$("$PG_CONFIG" --pkglibdir)
	sharedir=$("$PG_CONFIG" --sharedir)
	private_root=$work/root
	private_config=$private_root$bindir/pg_config
	mkdir -p "$private_root$bindir" "$private_root$libdir" "$private_root$sharedir"
	cp -a "$bindir/." "$private_root$bindir"
	cp -as "$libdir/." "$private_root$libdir"
	cp -as "$sharedir/." "$private_root$sharedir"
	find "$private_root" \( -name topgun.so -o -name 'topgun.control' -o -name 'topgun--*.sql' \) -delete
	rm -rf "$private_root$libdir/bitcode/topgun" "$private_root$libdir/bitcode/topgun.index.bc"
	private_bindir=$private_root$bindir
}

private_start() {
	"$private_bindir/initdb" -D "$private_data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N >"$work/initdb.log" 2>&1 ||
		{ cat "$work/initdb.log"; return 1; }
	{
		printf '%s\n' "$@"
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$private_socket_dir'"
		echo "port = $private_port"
		echo "max_worker_processes = 32"
		echo "fsync = off"
		echo "log_line_prefix = '%m [%p] %b %e %q%a '"
	} >>"$private_data/postgresql.conf"
	"$private_bindir/pg_ctl" -s -w -D "$private_data" -l "$work/log" start
}

private_psql() {
	local database=$1
	shift
	"$private_bindir/psql" -XAtq -v ON_ERROR_STOP=1 -h "$private_socket_dir" -p "$private_port" -U postgres -d "$database" "$@"
}

private_log() { tail -n 30 "$work/log"; }

private_log_matches() { grep -E "$1" "$work/log"; }

private_stop() {
	[ -f "${private_data:-/nowhere}/postmaster.pid" ] || return 0
	"$private_bindir/pg_ctl" -s -w -m fast -D "$private_data" stop
}
