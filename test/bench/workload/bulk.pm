# INSERT..SELECT, COPY, UPDATE of 1M rows, DELETE of 500k
package Bench::Workload::bulk;

use strict;
use warnings;
use parent -norequire, 'Bench::Workload';

use constant ROWS => 1_000_000;

my @kinds = ('insert', 'copy', 'update', 'delete');
my %text = (insert => 'INSERT..SELECT', copy => 'COPY', update => 'UPDATE', delete => 'DELETE');

sub figures
{
	return map {
		my $kind = $_;
		(
			[ "${kind}_commit", 's', "$text{$kind}: to commit" ],
			[ "${kind}_visible", 's', "$text{$kind}: to visible on B", of => "${kind}_commit" ],
			[ "${kind}_cpu", 's', "$text{$kind}: CPU of all nodes per 1M rows" ],
			[ "${kind}_wal", 'B', "$text{$kind}: WAL of A per row" ],
			[ "${kind}_wal_all", 'B', "$text{$kind}: WAL of all nodes per row", of => "${kind}_wal" ]
		)
	} @kinds;
}

# Statement, rows that it changes, condition that holds on B when they are there.
sub statements
{
	my ($self, $file) = @_;
	my $rows = $self->rows(ROWS);
	my $half = int($rows / 2);
	return (
		insert => [ $self->insert_rows('inserted', 1, $rows), $rows, "SELECT count(*) = $rows FROM inserted" ],
		copy => [ "COPY copied (id, k, payload) FROM '$file'", $rows, "SELECT count(*) = $rows FROM copied" ],
		update => [
			'UPDATE inserted SET k = -1 - k', $rows, "SELECT count(*) = $rows FROM inserted WHERE k < 0"
		],
		delete => [
			'DELETE FROM inserted WHERE id % 2 = 0', $half, "SELECT count(*) = $rows - $half FROM inserted"
		]);
}

sub measure
{
	my ($self, $system) = @_;
	return $self->with_nodes($system, $self->nodes_of($system), sub {
		my ($group) = @_;
		my $file = $group->node(1)->{dir} . '/rows.copy';
		my %statements = $self->statements($file);
		my %values;
		$group->node(1)->sql('COPY (' . $self->rows_from(1, $self->rows(ROWS)) . ") TO '$file'");
		$group->offer(inserted => $self->row_table, copied => $self->row_table);
		$group->follow;
		foreach my $kind (@kinds)
		{
			my ($sql, $rows, $condition) = @{ $statements{$kind} };
			$group->tidy;
			my $cost = $group->cost_of($sql, $condition);
			$values{"${kind}_commit"} = $cost->{commit};
			$values{"${kind}_visible"} = $cost->{visible} if $cost->{visible};
			$values{"${kind}_cpu"} = 1e6 * $cost->{cpu} / $rows;
			$values{"${kind}_wal"} = $cost->{wal} / $rows;
			$values{"${kind}_wal_all"} = $cost->{wal_all} / $rows;
		}
		return \%values;
	});
}

1;
