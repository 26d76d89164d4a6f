# A throw-away server, one node.
package Bench::Server;

use strict;
use warnings;
use Bench::Command qw(run contents);
use Bench::Processes;
use Bench::Session;

# Where is the server's software?
sub pg_config
{
	my ($what) = @_;
	my $value = `"$ENV{PG_CONFIG}" --$what`;
	chomp $value;
	return $value;
}

# An initialized data directory with the database "bench", to be copied.
sub make_template
{
	my ($dir, $bindir) = @_;
	run("$dir.log",
		[ "$bindir/initdb", '-D', $dir, '-U', 'bench', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8' ]);
	run("$dir.log",
		[ 'bash', '-c', 'echo "CREATE DATABASE bench" | "$0" --single -D "$1" template1', "$bindir/postgres", $dir ]);
	return;
}

# The same for all, see README.md; and nothing that runs at
# times of its own.  Segments of WAL are kept, see Bench::Segments.
sub settings
{
	my ($self) = @_;
	return <<"END";
listen_addresses = ''
unix_socket_directories = '$self->{dir}'
port = $self->{port}
max_connections = 50
max_worker_processes = 32
shared_buffers = 1GB
max_wal_size = 8GB
min_wal_size = 2GB
checkpoint_timeout = 30min
autovacuum = off
log_line_prefix = '%m [%p] %b '
END
}

# Options: dir, number, template, more (lines for postgresql.conf).
sub new
{
	my ($class, %options) = @_;
	my $self = bless { %options, port => 5400 + $options{number}, sessions => [] }, $class;
	$self->{data} = "$self->{dir}/data";
	$self->{bindir} = pg_config('bindir');
	$self->{node} = "n$self->{number}";
	mkdir $self->{dir} or die "$self->{dir}: $!\n";
	die "$self->{dir}: too long for the name of a socket; set TMPDIR\n" if length($self->{dir}) > 80;
	run("$self->{dir}/copy.log", [ 'cp', '-a', $self->{template}, $self->{data} ]);
	$self->configure($self->settings . $self->{more});
	return $self;
}

sub configure
{
	my ($self, $lines) = @_;
	open(my $out, '>>', "$self->{data}/postgresql.conf") or die "postgresql.conf: $!\n";
	print {$out} $lines;
	close($out) or die "postgresql.conf: $!\n";
	return;
}

sub dsn
{
	my ($self) = @_;
	return "host=$self->{dir} port=$self->{port} dbname=bench user=bench";
}

sub _pg_ctl
{
	my ($self, @arguments) = @_;
	return run("$self->{dir}/pg_ctl.log",
		[ "$self->{bindir}/pg_ctl", '-s', '-w', '-t', 300, '-D', $self->{data}, @arguments ]);
}

sub is_running { my ($self) = @_; return -e "$self->{data}/postmaster.pid"; }

sub start
{
	my ($self) = @_;
	eval { $self->_pg_ctl('-l', "$self->{dir}/log", 'start'); 1 }
	  or die "node $self->{number} does not start: $@" . $self->last_of_log;
	($self->{postmaster}) = contents("$self->{data}/postmaster.pid") =~ /^(\d+)/;
	return;
}

sub stop
{
	my ($self, $how) = @_;
	$_->end foreach splice(@{ $self->{sessions} });
	delete $self->{usual};
	delete $self->{prober};
	$self->_pg_ctl('-m', $how // 'fast', 'stop') if $self->is_running;
	return;
}

# One more connection.
sub session
{
	my ($self) = @_;
	my $session = Bench::Session->new($self);
	push @{ $self->{sessions} }, $session;
	return $session;
}

# Run SQL on the usual connection.
sub sql
{
	my ($self, $sql) = @_;
	$self->{usual} //= $self->session;
	return $self->{usual}->sql($sql);
}

sub time_of
{
	my ($self, $sql) = @_;
	$self->{usual} //= $self->session;
	return $self->{usual}->time_of($sql);
}

# Ask on a connection whose CPU time does not count.
sub probe
{
	my ($self, $sql) = @_;
	return $self->prober->sql($sql);
}

sub prober
{
	my ($self) = @_;
	$self->{prober} //= $self->session;
	return $self->{prober};
}

sub cpu_seconds
{
	my ($self) = @_;
	return Bench::Processes::cpu_seconds($self->{postmaster}, $self->prober->backend);
}

sub wal_bytes
{
	my ($self) = @_;
	return $self->probe(q{SELECT pg_current_wal_insert_lsn() - '0/0'});
}

# The WAL that slots keep from being removed, in bytes.
sub wal_held
{
	my ($self) = @_;
	return $self->probe(
		'SELECT COALESCE(max(pg_current_wal_lsn() - restart_lsn), 0) FROM pg_replication_slots');
}

# The end of the log, what is usual left out.
sub last_of_log
{
	my ($self) = @_;
	my @lines = grep { / (?:ERROR|FATAL|PANIC|WARNING): |terminated by signal/ }
	  split(/\n/, contents("$self->{dir}/log"));
	@lines = @lines[-8 .. -1] if @lines > 8;
	return join('', map { "    node $self->{number}: $_\n" } @lines);
}

1;
