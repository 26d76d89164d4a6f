# A cluster of throw-away nodes for a test, and what tests ask of it.
#
#	my $cluster = TopGun::Cluster->new(3);
#	$cluster->on_all('CREATE TABLE t (id int PRIMARY KEY, v text)');
#	$cluster->add_table('t');
#	$cluster->sql(1, q{INSERT INTO t VALUES (1, 'one')});
#	$cluster->assert_converged;
#
# Nodes are numbered from 1; number and node id are the same.
package TopGun::Cluster;

use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use TopGun::Net;
use TopGun::Proxy;

our $timeout = $ENV{PG_TEST_TIMEOUT_DEFAULT} || 180;
my $clusters_made = 0;

# Start n nodes and make them a cluster.  Options:
#	links => 1		peers reach each other through links that can be cut
#	net => 1		each in a network of its own, that can be cut; where the machine does
#					not permit it, such links
#	join => 0		leave them databases without a cluster
#	settings => ''	more lines for postgresql.conf
#	initdb => []	more arguments for initdb
#	servers => []	where the server of node 1, 2, .. is installed, if not in PATH
sub new
{
	my ($class, $count, %options) = @_;
	my $self = bless { count => 0, options => \%options, nodes => [], serial => ++$clusters_made },
	  $class;
	$self->_make_net($count) if $options{net};
	$self->{socket_dir} = PostgreSQL::Test::Utils::tempdir_short() if $self->{options}{links};
	$self->make_node($_) foreach 1 .. $count;
	$self->_start_proxy if $self->{options}{links};
	if ($options{join} // 1)
	{
		$self->create_cluster(1);
		$self->join_node($_) foreach 2 .. $count;
	}
	return $self;
}

# Make and start one more node, not yet a member.  Returns its server.
sub make_node
{
	my ($self, $i) = @_;
	my $prefix = $self->{serial} > 1 ? "c$self->{serial}" : '';
	my $server = ($self->{options}{servers} || [])->[ $i - 1 ];
	$server = $self->{net}->installation($i) if $self->{net};
	my $node = PostgreSQL::Test::Cluster->new("${prefix}n$i", $server ? (install_path => $server) : ());
	$node->init(
		allows_streaming => 1,
		extra => [ '--encoding=UTF8', '--locale=C.UTF-8', @{ $self->{options}{initdb} || [] } ]);
	# what the newest server's tests set, an older one may not know
	$node->adjust_conf('postgresql.conf', 'autovacuum_worker_slots', undef) if $server;
	$node->append_conf('postgresql.conf', <<"END");
shared_preload_libraries = 'topgun'
restart_after_crash = on
log_statement = none
log_replication_commands = off
log_min_messages = info
log_line_prefix = '%m [%p] %b %e %q%a '
max_connections = 60
max_worker_processes = 32
shared_buffers = 64MB
max_wal_size = 1GB
autovacuum_naptime = 5s
deadlock_timeout = 200ms
topgun.retry_interval = '200ms'
topgun.connect_timeout = '3s'
END
	$node->append_conf('postgresql.conf', $self->{options}{settings})
	  if $self->{options}{settings};
	$self->_listen($i, $node) if $self->{net};
	$node->start;
	$self->{nodes}[$i] = $node;
	$self->{count} = $i if $i > $self->{count};
	$node->safe_psql('postgres', 'CREATE EXTENSION topgun');
	return $node;
}

sub count { my ($self) = @_; return $self->{count}; }
sub node { my ($self, $i) = @_; return $self->{nodes}[$i]; }

# The numbers of the nodes that run.
sub running
{
	my ($self) = @_;
	return grep { $self->{nodes}[$_] && defined $self->{nodes}[$_]{_pid} } 1 .. $self->{count};
}

# How the peers of node i reach it.
sub dsn
{
	my ($self, $i) = @_;
	my $node = $self->node($i);
	my $host = $self->{options}{links} ? "$self->{socket_dir}/$i"
	  : $self->{net} ? $self->{net}->address($i) : $node->host;
	return "host=$host port=" . $node->port . ' dbname=postgres';
}

sub create_cluster
{
	my ($self, $i) = @_;
	return $self->call($i, 'topgun.create_cluster', "node$i", $self->dsn($i));
}

sub join_node
{
	my ($self, $i, $via) = @_;
	return $self->call($i, 'topgun.join', "node$i", $self->dsn($i), $self->dsn($via // 1));
}

# Call a function with text arguments.
sub call
{
	my ($self, $i, $function, @arguments) = @_;
	return $self->sql($i, "SELECT $function(" . join(', ', map { quote($_) } @arguments) . ')');
}

sub quote
{
	my ($text) = @_;
	$text =~ s/'/''/g;
	return "'$text'";
}

# Run SQL on a node; it must succeed.  Returns what psql prints.
sub sql
{
	my ($self, $i, $sql) = @_;
	return $self->node($i)->safe_psql('postgres', $sql);
}

# The same, whatever settings the test has given to the database.
sub sql_plainly
{
	my ($self, $i, $sql) = @_;
	return $self->sql($i, <<"END");
SET default_transaction_read_only = off;
SET default_transaction_isolation = 'read committed';
$sql
END
}

# Run SQL that must fail; returns its SQLSTATE and its message with all lines.
sub error_of
{
	my ($self, $i, $sql) = @_;
	my ($code, $out, $message) = $self->node($i)->psql('postgres',
		"\\set VERBOSITY verbose\n$sql", on_error_stop => 1);
	return ('00000', '') if $code == 0;
	my ($state) = $message =~ /(?:ERROR|FATAL):\s+(\w{5}):/;
	return ($state // '', $message);
}

sub on_all
{
	my ($self, $sql) = @_;
	return map { $self->sql($_, $sql) } $self->running;
}

# Replicate a table and wait until every running node has attached it.
sub add_table
{
	my ($self, $table, %options) = @_;
	my $on = $options{on} // 1;
	my @more = $options{options} ? ($options{options}) : ();
	$self->call($on, 'topgun.add_table', $table, @more);
	$self->wait_attached($_, $table) foreach $self->running;
	return;
}

# Wait until a node takes part in the replication of a table.
sub wait_attached
{
	my ($self, $i, $table) = @_;
	return $self->wait_table_state($i, $table, 'synced');
}

sub wait_table_state
{
	my ($self, $i, $table, $state) = @_;
	my ($schema, $name) = $table =~ /^(\w+)\.(.+)$/ ? ($1, $2) : ('public', $table);
	$name =~ s/^"(.*)"$/$1/;
	$self->wait_until($i, sprintf(<<'END', quote($schema), quote($name), quote($state)))
SELECT count(*) = 1 FROM topgun.table_state s JOIN topgun.replicated_table r ON r.id = s.table_id
WHERE r.schema_name = %s AND r.table_name = %s AND s.state = %s
END
	  or die "node $i: table $table is not $state:\n"
	  . $self->sql($i, 'SELECT * FROM topgun.table_state') . "\n";
	return;
}

# Poll until a query returns true; false after the time-out.
sub wait_until
{
	my ($self, $i, $sql, $seconds) = @_;
	my $deadline = time() + ($seconds // 60);
	while (1)
	{
		# a server that is about to restart breaks the pipe to psql
		my ($code, $out) = eval { $self->node($i)->psql('postgres', $sql) };
		return 1 if ($code // 1) == 0 && ($out // '') eq 't';
		return 0 if time() > $deadline;
		sleep(0.05);
	}
	return;
}

sub wait_for_sync
{
	my ($self, $seconds) = @_;
	$seconds //= 60;
	my $synced = 1;
	foreach my $i ($self->running)
	{
		$synced = 0 if $self->sql($i, "SELECT topgun.wait_for_sync('$seconds s')") ne 't';
	}
	return $synced;
}

# Names of the tables that the cluster replicates, its own ones included.
sub replicated_tables
{
	my ($self) = @_;
	my ($i) = $self->running;
	return (
		'topgun.node',
		'topgun.replicated_table',
		split(/\n/, $self->sql($i, <<'END')));
SELECT format('%I.%I', schema_name, table_name) FROM topgun.replicated_table
WHERE id >= 16 ORDER BY 1
END
}

# Every row of a table as lines "key<tab>row", stamp included, in one text
# form whatever the settings of the node.
sub rows
{
	my ($self, $i, $table) = @_;
	my $output = $self->node($i)->safe_psql('postgres', <<"END");
SET datestyle = 'ISO, MDY'; SET timezone = 'UTC'; SET intervalstyle = 'postgres';
SET extra_float_digits = 3; SET bytea_output = 'hex'; SET xmlbinary = 'base64';
SELECT (SELECT jsonb_agg(r.j -> a.attname ORDER BY k.n)
		FROM pg_index x, unnest(x.indkey) WITH ORDINALITY AS k (attno, n), pg_attribute a
		WHERE x.indrelid = '$table'::regclass AND x.indisprimary
			AND a.attrelid = x.indrelid AND a.attnum = k.attno)::text COLLATE "C" AS key,
	r.j::text
FROM (SELECT to_jsonb(t) AS j FROM $table t) AS r ORDER BY 1, 2;
END
	$output =~ s/^([^\n]*?)\|(?=\{)/$1\t/gm;
	return $output;
}

# What differs between the nodes, as text; empty if nothing does.
sub differences
{
	my ($self, @tables) = @_;
	@tables = $self->replicated_tables if !@tables;
	my ($first, @others) = $self->running;
	my $report = '';
	foreach my $table (@tables)
	{
		my $expected = $self->rows($first, $table);
		foreach my $i (@others)
		{
			my $found = $self->rows($i, $table);
			next if $found eq $expected;
			$report .= "$table: node $first and node $i differ\n"
			  . _row_differences($first, $expected, $i, $found);
		}
	}
	return $report;
}

sub _row_differences
{
	my ($a, $rows_a, $b, $rows_b) = @_;
	my %in_a = map { split(/\t/, $_, 2) } split(/\n/, $rows_a);
	my %in_b = map { split(/\t/, $_, 2) } split(/\n/, $rows_b);
	my @differing = grep { ($in_a{$_} // '') ne ($in_b{$_} // '') }
	  sort keys %{ { %in_a, %in_b } };
	my $report = '';
	foreach my $key (splice(@differing, 0, 10))
	{
		$report .= sprintf("  key %s\n    node %d: %s\n    node %d: %s\n",
			$key, $a, $in_a{$key} // '(none)', $b, $in_b{$key} // '(none)');
	}
	$report .= '  and ' . scalar(@differing) . " more\n" if @differing;
	return $report;
}

# Roots of the Merkle trees of the tables on a node, brought up to its journal.
sub roots
{
	my ($self, $i, @tables) = @_;
	$self->sql_plainly($i, 'SELECT topgun_internal.tree_roots()');
	return join("\n",
		map { "$_ " . $self->sql($i, 'SELECT topgun.merkle_root(' . quote($_) . ')') } @tables);
}

# What is wrong with the Merkle trees, as text: roots that differ between nodes
# with the same rows, or leaves that differ from the rows of their own node.
sub tree_faults
{
	my ($self, @tables) = @_;
	my ($first, @others) = $self->running;
	my $expected = $self->roots($first, @tables);
	my $report = '';
	foreach my $i (@others)
	{
		my $found = $self->roots($i, @tables);
		$report .= "roots on node $first:\n$expected\nroots on node $i:\n$found\n"
		  if $found ne $expected;
	}
	foreach my $i ($first, @others)
	{
		foreach my $table (@tables)
		{
			my $leaves = $self->sql_plainly($i, 'SELECT topgun.merkle_rebuild(' . quote($table) . ', 0)');
			$report .= "node $i: $leaves leaves of $table are not what its rows give\n"
			  if $leaves ne '0';
		}
	}
	return $report;
}

# Test that every row of the tables (default: all) is the same on every running
# node, once all that was written has arrived; that so are the roots of their
# Merkle trees; and that the trees are what the rows give.  No client may write
# meanwhile.
sub assert_converged
{
	my ($self, @tables) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	@tables = $self->replicated_tables if !@tables;
	my $deadline = time() + $timeout;
	my $differences;
	while (1)
	{
		$differences = $self->differences(@tables);
		last if $differences eq '' || time() > $deadline;
		sleep(0.2);
	}
	ok($differences eq '', 'every row is the same on every node') or diag($differences);
	my $faults = $self->tree_faults(@tables);
	ok($faults eq '', 'so are the Merkle trees, and they are what the rows give') or diag($faults);
	return $differences eq '' && $faults eq '';
}

# ------------------------------------------------------------------- links

sub _start_proxy
{
	my ($self) = @_;
	my %nodes;
	foreach my $i (1 .. $self->{count})
	{
		my $node = $self->node($i);
		mkdir "$self->{socket_dir}/$i";
		my $socket = '/.s.PGSQL.' . $node->port;
		$nodes{$i} = {
			listen => "$self->{socket_dir}/$i$socket",
			forward => $node->host . $socket,
			pidfile => $node->data_dir . '/postmaster.pid',
		};
	}
	$self->{proxy} = TopGun::Proxy->start(%nodes);
	return;
}

# Nodes a and b cannot talk to each other; "how" is reset or stall.
sub cut_link
{
	my ($self, $a, $b, $how) = @_;
	$self->{proxy}->set($a, $b, $how // 'reset');
	$self->{proxy}->set($b, $a, $how // 'reset');
	return;
}

sub heal_link
{
	my ($self, $a, $b) = @_;

	# What was stalled is lost, not late.
	foreach my $state ('reset', 'pass')
	{
		$self->{proxy}->set($a, $b, $state);
		$self->{proxy}->set($b, $a, $state);
	}
	return;
}

sub cut_node
{
	my ($self, $i, $how) = @_;
	$self->cut_link($i, $_, $how) foreach grep { $_ != $i } 1 .. $self->{count};
	return;
}

sub heal_node
{
	my ($self, $i) = @_;
	$self->heal_link($i, $_) foreach grep { $_ != $i } 1 .. $self->{count};
	return;
}

# ------------------------------------------------------------------- network

sub _make_net
{
	my ($self, $count) = @_;
	$self->{net} = TopGun::Net->new($count);
	note($self->{net} ? 'measured: the nodes are in network namespaces' :
		  'measured: this machine permits no network namespaces; a proxy takes their place');
	$self->{options}{links} = 1 if !$self->{net};
	return;
}

sub _listen
{
	my ($self, $i, $node) = @_;
	$node->append_conf('postgresql.conf', "listen_addresses = '" . $self->{net}->address($i) . "'");
	$node->append_conf('pg_hba.conf', 'host all all samenet trust');
	return;
}

# These nodes hear only each other, and the others only each other; nothing tells
# them so, but that nothing comes.
sub part
{
	my ($self, @apart) = @_;
	return $self->{net}->part(@apart) if $self->{net};
	foreach my $i (@apart)
	{
		foreach my $other (1 .. $self->{count})
		{
			$self->cut_link($i, $other, 'stall') if !grep { $_ == $other } @apart;
		}
	}
	return;
}

# A node has no network, and knows.
sub unplug
{
	my ($self, $i) = @_;
	return $self->{net} ? $self->{net}->unplug($i) : $self->cut_node($i);
}

sub heal
{
	my ($self) = @_;
	return $self->{net}->heal if $self->{net};
	$self->heal_node($_) foreach 1 .. $self->{count};
	return;
}

# -------------------------------------------------------------------- faults

sub failpoint
{
	my ($self, $i, $name, $action) = @_;
	return $self->call($i, 'topgun_internal.failpoint', $name, $action);
}

# Pids of a node's topgun workers.
sub workers
{
	my ($self, $i, $like) = @_;
	return split(/\n/, $self->sql($i, sprintf(<<'END', quote($like // 'topgun%'))));
SELECT pid FROM pg_stat_activity WHERE backend_type LIKE %s ORDER BY random()
END
}

# Kill one worker as the kernel would; the server restarts its processes.
sub kill9_worker
{
	my ($self, $i) = @_;
	$self->wait_until($i, q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type LIKE 'topgun%')});
	my ($pid) = $self->workers($i);
	die "node $i has no topgun worker" if !$pid;
	my $log = -s $self->node($i)->logfile;
	kill('KILL', $pid);
	$self->wait_restarted($i, $log);
	return $pid;
}

# Wait until the server has noticed a crash and takes connections again.
sub wait_restarted
{
	my ($self, $i, $log_offset) = @_;
	my $node = $self->node($i);
	my $deadline = time() + $timeout;
	while (1)
	{
		my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile, $log_offset);
		last if $log =~ /reinitializing.*database system is ready to accept connections/s;
		die "node $i has not restarted" if time() > $deadline;
		sleep(0.05);
	}
	return;
}

# Kill the postmaster, wait until all its children are gone, start it again.
# Returns how long the children outlived it, in seconds.
sub kill9_postmaster
{
	my ($self, $i) = @_;
	my $seconds = $self->kill9_and_wait($i);
	$self->node($i)->start;
	return $seconds;
}

sub kill9_and_wait
{
	my ($self, $i) = @_;
	my $node = $self->node($i);
	my @children = children_of($node->{_pid});
	$node->kill9;
	my $began = time();
	while (grep { kill(0, $_) } @children)
	{
		die 'children outlive their postmaster: ' . join(', ', grep { kill(0, $_) } @children)
		  if time() - $began > 30;
		sleep(0.02);
	}
	return time() - $began;
}

sub children_of
{
	my ($parent) = @_;
	my @children;
	foreach my $stat (glob('/proc/[0-9]*/stat'))
	{
		open(my $in, '<', $stat) or next;
		my $line = readline($in) // '';
		push @children, $1 if $line =~ /^(\d+) \(.*\) \S $parent /;
	}
	return @children;
}

# Stop all processes of a node where they are, and let them go on.
sub freeze
{
	my ($self, $i) = @_;
	my $postmaster = $self->node($i)->{_pid};
	kill('STOP', $postmaster);
	kill('STOP', children_of($postmaster));
	return;
}

sub thaw
{
	my ($self, $i) = @_;
	my $postmaster = $self->node($i)->{_pid};
	kill('CONT', children_of($postmaster), $postmaster);
	return;
}

# ---------------------------------------------------------------------- load

# 200 keys, or as many as asked for, that the storm writes.
sub create_storm_table
{
	my ($self, $keys) = @_;
	$keys //= 200;
	$self->on_all('CREATE TABLE storm (id int PRIMARY KEY, v int, src text)');
	$self->add_table('storm');
	$self->sql(1, "INSERT INTO storm SELECT i, 0, 'start' FROM generate_series(1, $keys) i");
	$self->{storm_keys} = $keys;
	return;
}

# Start the storm on the given nodes (default: all running): per node two
# clients at full rate, insert : update : delete = 2 : 3 : 1.
sub start_storm
{
	my ($self, $seconds, @on) = @_;
	@on = $self->running if !@on;
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my @storms;
	foreach my $i (@on)
	{
		my $head = "\\set id random(1, $self->{storm_keys})\n\\set v random(1, 1000000)\n";
		my %script = (
			insert => "INSERT INTO storm VALUES (:id, :v, 'n$i') ON CONFLICT DO NOTHING;",
			update => "UPDATE storm SET v = :v, src = 'n$i' WHERE id = :id;",
			delete => 'DELETE FROM storm WHERE id = :id;');
		foreach my $kind (keys %script)
		{
			PostgreSQL::Test::Utils::append_to_file("$dir/$i.$kind", "$head$script{$kind}\n");
		}
		my $node = $self->node($i);
		my $output = '';
		my $run = IPC::Run::start(
			[
				'pgbench', '-n', '-M', 'prepared', '-c', 2, '-j', 1, '-T', $seconds,
				'-h', $node->host, '-p', $node->port,
				'-f', "$dir/$i.insert\@2", '-f', "$dir/$i.update\@3", '-f', "$dir/$i.delete\@1",
				'postgres'
			],
			'<', \undef, '>&', \$output);
		push @storms, { node => $i, run => $run, output => \$output };
	}
	return \@storms;
}

# Wait for the end of a storm; returns false if a client had an error.
sub finish_storm
{
	my ($self, $storms) = @_;
	my $good = 1;
	foreach my $storm (@$storms)
	{
		my $finished = IPC::Run::finish($storm->{run});
		my ($tps) = ${ $storm->{output} } =~ /tps = (\d+)/;
		diag("node $storm->{node}: ${ $storm->{output} }") if !$finished;
		note(sprintf('measured: storm on node %d: %s transactions a second',
			$storm->{node}, $tps // '?'));
		$good = 0 if !$finished;
	}
	return $good;
}

sub storm
{
	my ($self, $seconds, @on) = @_;
	return $self->finish_storm($self->start_storm($seconds, @on));
}

# -------------------------------------------------------------------- the end

# Stop all nodes, and test that none has logged what must never happen.  Option:
#	but => qr//		lines that may have been logged all the same
sub stop
{
	my ($self, %options) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$self->node($_)->stop('fast', fail_ok => 1) foreach $self->running;
	$self->{proxy}->stop if $self->{proxy};
	$self->{net}->stop if $self->{net};

	foreach my $i (grep { $self->node($_) } 1 .. $self->{count})
	{
		my $log = PostgreSQL::Test::Utils::slurp_file($self->node($i)->logfile);
		my @bad = grep { !/failpoint/ && !($options{but} && /$options{but}/) }
		  $log =~ /^.*(?: leak|TRAP: | XX\w{3} .*(?:ERROR|FATAL): |PANIC: |terminated by signal (?:6|11):).*$/mg;
		is("@bad[0 .. ($#bad < 4 ? $#bad : 4)]", '', "node $i has logged no internal error");
	}
	return;
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $!, $@);
	$self->{proxy}->stop if $self->{proxy};
	return;
}

1;
