# cost of writes, of joining and of comparing against the size of the table, 1M to 10M rows
package Bench::Workload::growth_table;

use strict;
use warnings;
use parent -norequire, 'Bench::Workload';
use Bench::Load;

use constant MILLION => 1_000_000;
use constant SECONDS => 10;
use constant PART => 100_000;

sub contenders { return map { "${_}M rows" } 1, 2, 5, 10; }

sub figures
{
	return (
		[ 'plain', 'us', 'plain: CPU of an UPDATE', no_ratio => 1 ],
		[ 'update', 'us', 'topgun: of both nodes', no_ratio => 1 ],
		[ 'part', 'us', 'UPDATE of 100k rows: CPU of both nodes per row', no_ratio => 1 ],
		[ 'part_visible', 's', 'the same, to visible on B', no_ratio => 1 ],
		[ 'join', 's', 'join per 1M rows', no_ratio => 1 ],
		[ 'rebuild', 's', 'rebuild per 1M rows', no_ratio => 1 ],
		[ 'converged', 'ms', 'converged()', no_ratio => 1 ],
		[ 'diff', 'ms', 'diff of equal tables', no_ratio => 1 ]);
}

# Rows by their keys at random, as pgbench does it.
sub cost_of_updates
{
	my ($self, $group, $rows) = @_;
	my $script = "\\set id random(1, $rows)\n\\set k random(1, 1000)\nUPDATE grown SET k = :k WHERE id = :id;\n";
	my $cost = $group->cost_of(sub {
		return Bench::Load->run($group->node(1), sync => 'off',
			seconds => $self->seconds(SECONDS), scripts => [ [ 1, $script ] ]);
	});
	return 1e6 * $cost->{cpu} / $cost->{answer}{count};
}

sub measure_plain
{
	my ($self, $rows) = @_;
	return $self->with_nodes('plain', 1, sub {
		my ($group) = @_;
		$group->offer(grown => $self->row_table);
		$group->node(1)->sql($self->insert_rows('grown', 1, $rows));
		$group->tidy;
		return $self->cost_of_updates($group, $rows);
	});
}

sub measure
{
	my ($self, $contender) = @_;
	my ($millions) = $contender =~ /^(\d+)/;
	my $rows = $self->rows($millions * MILLION);
	my $part = $self->rows(PART);
	my $plain = $self->measure_plain($rows);
	return $self->with_nodes('topgun', 2, sub {
		my ($group) = @_;
		my ($first, $second) = $group->nodes;
		my %values = (plain => $plain);
		$group->offer(grown => $self->row_table);
		$first->sql($self->insert_rows('grown', 1, $rows));
		$group->settle;
		$group->tidy;
		$values{join} = $group->time_of(sub { $group->follow }) * MILLION / $rows;
		$group->tidy;
		$values{update} = $self->cost_of_updates($group, $rows);
		$group->tidy;
		my $every = int($rows / $part);
		my $cost = $group->cost_of("UPDATE grown SET k = -1 WHERE id % $every = 0",
			"SELECT count(*) >= $part FROM grown WHERE k = -1");
		$values{part} = 1e6 * $cost->{cpu} / $part;
		$values{part_visible} = $cost->{visible};
		$values{rebuild} = $first->time_of(q{SELECT topgun.merkle_rebuild('grown')}) * MILLION / $rows;
		$values{converged} = 1000 * $first->time_of(q{SELECT topgun.converged('grown')});
		$values{diff} = 1000 * $first->time_of(q{SELECT count(*) FROM topgun.merkle_diff('grown', 'n2')});
		return \%values;
	});
}

1;
