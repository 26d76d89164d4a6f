# Something to measure, and with what.
package Bench::Workload;

use strict;
use warnings;
use Bench::Figures;
use Bench::Group;
use List::Util qw(max);

sub new
{
	my ($class, $run) = @_;
	return bless { run => $run, scale => $run->{scale} }, $class;
}

# Names of what is compared; the first is the reference.  Here: systems.
sub contenders { my ($self) = @_; return $self->{run}->systems; }

# Definitions for Bench::Figures.
sub figures { die "no figures\n"; }

# One contender, once; returns its figures.  "cannot: reason" if it cannot.
sub measure { die "nothing is measured\n"; }

# So many rows, or so many seconds, at this scale.
sub rows { my ($self, $full) = @_; return max(100, int($full * $self->{scale})); }
sub seconds { my ($self, $full) = @_; return max(2, int($full * $self->{scale})); }

# Do something with a new group of nodes, which does not outlive it.
sub with_nodes
{
	my ($self, $system, $count, $do, %options) = @_;
	$system = $self->{run}->system($system);
	my $why_not = $system->missing;
	die "cannot: $why_not\n" if $why_not;
	my $group = Bench::Group->new(run => $self->{run}, system => $system, count => $count, %options);
	my $result = eval { $do->($group) };
	if (!defined $result)
	{
		my $error = $@;
		$error .= $group->last_of_logs if $error !~ /^cannot: /;
		$group->end;
		die $error;
	}
	$group->end;
	return $result;
}

# How many nodes it takes to measure a change and its way.
sub nodes_of
{
	my ($self, $system) = @_;
	return $self->{run}->system($system)->is_replicating ? 2 : 1;
}

# The table that most of them write to.
sub row_table { return 'id bigserial PRIMARY KEY, k int, payload text'; }

# SQL for rows with payloads of 100 characters, keys from .. to.
sub rows_from
{
	my ($self, $from, $to) = @_;
	return "SELECT i AS id, (i % 1000)::int AS k, lpad(i::text, 100, 'payload ') AS payload FROM generate_series($from, $to) i";
}

sub insert_rows
{
	my ($self, $table, $from, $to) = @_;
	return "INSERT INTO $table (id, k, payload) " . $self->rows_from($from, $to);
}

1;
