# The nodes of one turn: made for it, gone after it.  Node 1 is written to, the
# others follow.
package Bench::Group;

use strict;
use warnings;
use Bench::Command qw(run);
use Bench::Server;
use File::Path ();
use Time::HiRes qw(sleep time);

use constant POLL_SECONDS => 0.003;

our $patience = 1200;    # seconds until what was written has to be everywhere

# Options: run, system, count (of nodes), settings (more lines for postgresql.conf).
sub new
{
	my ($class, %options) = @_;
	my $self = bless { %options, markers => 0, nodes => [] }, $class;
	my $run = $self->{run};
	my $dir = $run->{dir} . '/turn';
	File::Path::remove_tree($dir);
	mkdir $dir or die "$dir: $!\n";
	foreach my $number (1 .. $self->{count})
	{
		my $server = Bench::Server->new(
			dir => "$dir/$number",
			number => $number,
			template => $run->{template},
			more => $self->{system}->settings($self) . ($self->{settings} // ''));
		$run->{segments}->lend($server->{data}, 1 / $self->{count});
		push @{ $self->{nodes} }, $server;
	}

	# What others left in the page cache is not to be written at our expense.
	run("$dir/sync.log", ['sync']);
	$_->start foreach @{ $self->{nodes} };
	return $self;
}

sub node { my ($self, $number) = @_; return $self->{nodes}[ $number - 1 ]; }
sub nodes { my ($self) = @_; return @{ $self->{nodes} }; }

sub followers
{
	my ($self) = @_;
	my (undef, @others) = $self->nodes;
	return $self->{system}->is_replicating ? @others : ();
}

sub on_all
{
	my ($self, $sql) = @_;
	$_->sql($sql) foreach $self->nodes;
	return;
}

# Make tables on all nodes, and a place for markers; node 1 offers them to
# whom follow() brings.
sub offer
{
	my ($self, %tables) = @_;
	$tables{marker} = 'id bigint PRIMARY KEY';
	$self->{tables} = [ sort keys %tables ];
	$self->{system}->found($self);
	foreach my $table (@{ $self->{tables} })
	{
		$self->on_all("CREATE TABLE $table ($tables{$table})");
	}
	$self->{system}->publish($self, @{ $self->{tables} });
	return;
}

# Let the other nodes have what node 1 has, and all that is to come.
sub follow
{
	my ($self) = @_;
	$self->{system}->link($self, $_) foreach $self->followers;
	$self->wait_visible;
	return;
}

# Nothing of what was is left to be done.
sub tidy
{
	my ($self) = @_;
	$self->on_all('VACUUM ANALYZE');
	$self->on_all('CHECKPOINT');
	return;
}

# Wait until a condition holds; returns when it was seen.
sub wait_until
{
	my ($self, $server, $condition, $what) = @_;
	my $deadline = time() + $patience;
	while ($server->probe("SELECT ($condition)") ne 't')
	{
		die "node $server->{number}: $what: not in $patience s\n" if time() > $deadline;
		sleep(POLL_SECONDS);
	}
	return time();
}

# Wait until all that is committed on node 1 is visible on all others: a row
# written now is, and the condition holds.  Returns the time at which it was.
sub wait_visible
{
	my ($self, $condition) = @_;
	my $number = ++$self->{markers};
	my $seen = time();
	return $seen if !$self->followers;

	$self->node(1)->sql("INSERT INTO marker VALUES ($number)");
	foreach my $server ($self->followers)
	{
		my $at = $self->wait_until($server,
			"EXISTS (SELECT FROM marker WHERE id = $number)", 'what was written is not visible');
		if ($condition && $server->probe("SELECT ($condition)") ne 't')
		{
			print "node $server->{number}: the marker came before the rows\n";
			$at = $self->wait_until($server, $condition, "not so: $condition");
		}
		$seen = $at if $at > $seen;
	}
	return $seen;
}

# Seconds that something takes.
sub time_of
{
	my ($self, $do) = @_;
	my $began = time();
	$do->();
	return time() - $began;
}

sub cpu_seconds
{
	my ($self) = @_;
	my $sum = 0;
	$sum += $_->cpu_seconds foreach $self->nodes;
	return $sum;
}

sub settle { my ($self) = @_; return $self->{system}->settle($self); }

# Run something on node 1 and wait until the others have it.  Returns the
# seconds to its end and to visible, CPU seconds of all nodes, also for what
# is done later, and of node 1 alone, and bytes of WAL of both.
sub cost_of
{
	my ($self, $do, $condition) = @_;
	my @wal = map { $_->wal_bytes } $self->nodes;
	my $cpu_first = $self->node(1)->cpu_seconds;
	my $cpu = $self->cpu_seconds;
	my $began = time();
	my $answer = ref $do ? $do->() : $self->node(1)->sql($do);
	my %cost = (answer => $answer, commit => time() - $began);
	my $seen = $self->wait_visible($condition);
	$cost{visible} = $seen - $began if $self->followers;
	$self->settle;
	$cost{cpu} = $self->cpu_seconds - $cpu;
	$cost{cpu_first} = $self->node(1)->cpu_seconds - $cpu_first;
	my @after = map { $_->wal_bytes } $self->nodes;
	$cost{wal} = $after[0] - $wal[0];
	$cost{wal_all} += $after[$_] - $wal[$_] foreach 0 .. $#wal;
	return \%cost;
}

sub last_of_logs
{
	my ($self) = @_;
	return join('', map { $_->last_of_log } $self->nodes);
}

# Stop the nodes and remove them.
sub end
{
	my ($self) = @_;
	foreach my $server (splice(@{ $self->{nodes} }))
	{
		eval { $server->stop('fast'); 1 } or eval { $server->stop('immediate'); };
		$self->{run}{segments}->take_back($server->{data});
		File::Path::remove_tree($server->{dir});
	}
	return;
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $!, $@);
	$self->end;
	return;
}

1;
