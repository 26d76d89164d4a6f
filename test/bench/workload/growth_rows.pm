# cost of a row against the rows of its transaction, 1 to 1M
package Bench::Workload::growth_rows;

use strict;
use warnings;
use parent -norequire, 'Bench::Workload';
use Bench::Load;

use constant FEW_ROWS => 100_000;     # in all, while transactions are small
use constant ROWS => 1_000_000;       # in all, else
use constant SMALL => 10;

sub contenders
{
	my ($self) = @_;
	return map { "$_ rows" } grep { $_ <= $self->rows(ROWS) } map { 10**$_ } 0 .. 6;
}

sub figures
{
	return (
		[ 'plain', 'us', 'plain: CPU per row', no_ratio => 1 ],
		[ 'topgun', 'us', 'topgun: CPU of both nodes per row', no_ratio => 1 ],
		[ 'first', 'us', 'of that A', no_ratio => 1 ],
		[ 'visible', 'us', 'to visible on B, per row', no_ratio => 1 ],
		[ 'wal', 'B', 'WAL of A per row', no_ratio => 1 ]);
}

sub cost_on
{
	my ($self, $system, $size, $transactions) = @_;
	my $rows = $size * $transactions;
	my $script = "INSERT INTO grown (k, payload) SELECT i, lpad(i::text, 100, 'payload ') FROM generate_series(1, $size) i;\n";
	return $self->with_nodes($system, $self->nodes_of($system), sub {
		my ($group) = @_;
		$group->offer(grown => $self->row_table);
		$group->follow;
		$group->tidy;
		return $group->cost_of(
			sub {
				return Bench::Load->run($group->node(1), clients => 1, sync => 'off',
					transactions => $transactions, scripts => [ [ 1, $script ] ]);
			},
			"SELECT count(*) = $rows FROM grown");
	});
}

sub measure
{
	my ($self, $contender) = @_;
	my ($size) = $contender =~ /^(\d+)/;
	my $transactions = int($self->rows($size <= SMALL ? FEW_ROWS : ROWS) / $size) || 1;
	my $us = 1e6 / ($size * $transactions);
	my $plain = $self->cost_on('plain', $size, $transactions);
	my $topgun = $self->cost_on('topgun', $size, $transactions);
	return {
		plain => $plain->{cpu} * $us,
		topgun => $topgun->{cpu} * $us,
		first => $topgun->{cpu_first} * $us,
		visible => $topgun->{visible} * $us,
		wal => $topgun->{wal} / ($size * $transactions),
	};
}

1;
