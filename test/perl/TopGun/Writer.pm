# A client that writes all the time, survives the end of its server, and
# remembers what was acknowledged.
#
# It inserts keys of its own into a table (id text PRIMARY KEY, v int), changes
# some and deletes some.  A statement whose outcome it never learned leaves its
# key in doubt; such a key is never touched again.
package TopGun::Writer;

use strict;
use warnings;
use parent 'TopGun::Stops';
use IPC::Open2;
use POSIX ();
use Time::HiRes qw(sleep);

# node: PostgreSQL::Test::Cluster; name: prefix of the keys; log: a file
sub start
{
	my ($class, %options) = @_;
	my $pid = fork() // die "cannot fork: $!";
	if ($pid == 0)
	{
		$SIG{PIPE} = 'IGNORE';
		my $stop = 0;
		$SIG{TERM} = sub { $stop = 1; };
		eval { write_until(\$stop, %options); 1 } or print STDERR "# writer: $@";
		POSIX::_exit(0);
	}
	return bless { %options, pid => $pid }, $class;
}

sub stop
{
	my ($self) = @_;
	return if !$self->{pid};
	kill('TERM', $self->{pid});
	waitpid(delete $self->{pid}, 0);
	return;
}

# What must be there now: key => value, undef if the key must be absent.  Keys
# in doubt are not in it.
sub acknowledged
{
	my ($self) = @_;
	my %state;
	my %doubt;
	open(my $log, '<', $self->{log}) or return \%state;
	while (my $line = readline($log))
	{
		my ($what, $key, $value) = split(' ', $line);
		if ($what eq 'doubt') { $doubt{$key} = 1; }
		else { $state{$key} = $what eq 'delete' ? undef : $value; }
	}
	delete @state{ keys %doubt };
	return \%state;
}

# Errors that its statements met, other than the end of the server.
sub errors
{
	my ($self) = @_;
	open(my $in, '<', "$self->{log}.errors") or return '';
	return join('', grep { /ERROR:/ } readline($in));
}

# ---------------------------------------------------- in the writer's process

sub write_until
{
	my ($stop, %options) = @_;
	open(my $log, '>>', $options{log}) or die "cannot write $options{log}: $!";
	$log->autoflush(1);
	my ($number, $session) = (0);
	my @mine;

	while (!$$stop)
	{
		if (!$session)
		{
			sleep(0.05);
			$session = connect_to(%options) or next;
		}
		my ($what, $key, $value) = next_change($options{name}, \$number, \@mine);
		my $answer = ask($session, statement($options{table}, $what, $key, $value));
		if (defined $answer && $answer eq $key)
		{
			print $log join(' ', $what, $key, $value), "\n";
			push @mine, $key if $what eq 'insert';
			sleep(0.001);
			next;
		}
		print $log "doubt $key\n";
		@mine = grep { $_ ne $key } @mine;
		disconnect($session);
		$session = undef;
	}
	disconnect($session) if $session;
	return;
}

sub next_change
{
	my ($name, $number, $mine) = @_;
	my $value = ++$$number;
	my $dice = rand();
	if (@$mine > 10 && $dice < 0.3)
	{
		return ('update', $mine->[ rand @$mine ], $value);
	}
	if (@$mine > 10 && $dice < 0.4)
	{
		return ('delete', splice(@$mine, rand @$mine, 1), $value);
	}
	return ('insert', "$name-$value", $value);
}

sub statement
{
	my ($table, $what, $key, $value) = @_;
	return "INSERT INTO $table VALUES ('$key', $value) RETURNING id;" if $what eq 'insert';
	return "UPDATE $table SET v = $value WHERE id = '$key' RETURNING id;" if $what eq 'update';
	return "DELETE FROM $table WHERE id = '$key' RETURNING id;";
}

sub connect_to
{
	my (%options) = @_;
	my $node = $options{node};
	open(my $saved, '>&', \*STDERR);
	open(STDERR, '>>', "$options{log}.errors");
	my $pid = open2(my $out, my $in, $node->installed_command('psql'), '-XAtq',
		'-d', $node->connstr('postgres'));
	open(STDERR, '>&', $saved);
	my $session = { pid => $pid, out => $out, in => $in };
	my $answer = ask($session, "SELECT 'hello';");
	return $session if defined $answer && $answer eq 'hello';
	disconnect($session);
	return;
}

# The first line of the answer, '' if there is none, undef at the end of the
# session.
sub ask
{
	my ($session, $statement) = @_;
	my $answer = '';
	syswrite($session->{in}, "$statement\n\\echo --\n") or return;
	while (defined(my $line = readline($session->{out})))
	{
		chomp $line;
		return $answer if $line eq '--';
		$answer = $line if $answer eq '';
	}
	return;
}

sub disconnect
{
	my ($session) = @_;
	close($session->{in});
	close($session->{out});
	kill('KILL', $session->{pid});
	waitpid($session->{pid}, 0);
	return;
}

1;
