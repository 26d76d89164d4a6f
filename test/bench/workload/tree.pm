# fold, rebuild, diff, repair, verify of a table of 1M rows, beside a scan of it
package Bench::Workload::tree;

use strict;
use warnings;
use parent -norequire, 'Bench::Workload';

use constant ROWS => 1_000_000;
use constant DAMAGED => 1000;

sub contenders { return ('topgun'); }

sub figures
{
	return (
		[ 'scan', 's', 'a scan that hashes the rows' ],
		[ 'fold', 's', 'fold of 1M entries', of => 'scan' ],
		(map { [ "rebuild_$_", 's', "rebuild, $_ workers", of => 'scan' ] } 0, 1, 2),
		[ 'diff_equal', 's', 'diff of equal tables', of => 'scan' ],
		[ 'diff', 's', 'diff, ' . DAMAGED . ' rows lost on B', of => 'scan' ],
		[ 'repair', 's', 'repair of those', of => 'scan' ],
		[ 'verify', 's', 'verify', of => 'scan' ]);
}

# Rows go that no trigger sees going.
sub damage
{
	my ($self, $server, $rows) = @_;
	my $every = int($rows / DAMAGED) || 1;
	$server->sql($_) foreach (
		'BEGIN', 'ALTER TABLE tree DISABLE TRIGGER topgun_capture',
		"DELETE FROM tree WHERE id % $every = 0", 'ALTER TABLE tree ENABLE ALWAYS TRIGGER topgun_capture',
		'COMMIT', q{SELECT topgun.merkle_rebuild('tree')});
	return;
}

sub measure
{
	my ($self, $system) = @_;
	my $rows = $self->rows(ROWS);
	return $self->with_nodes(
		$system, 2,
		sub {
			my ($group) = @_;
			my ($first, $second) = $group->nodes;
			my $diff = q{SELECT count(*) FROM topgun.merkle_diff('tree', 'n2')};
			my %values;
			$group->offer(tree => $self->row_table);
			$group->follow;
			$first->sql($self->insert_rows('tree', 1, $rows));
			$group->wait_visible("SELECT count(*) = $rows FROM tree");
			$values{fold} = $first->time_of('SELECT topgun_internal.tree_roots()');
			$group->settle;
			$group->tidy;
			$values{scan} = $first->time_of('SELECT sum(hashtextextended(t::text, 0)) FROM tree t');
			$values{"rebuild_$_"} = $first->time_of("SELECT topgun.merkle_rebuild('tree', $_)") foreach 0, 1, 2;
			$values{diff_equal} = $first->time_of($diff);
			$values{verify} = $first->time_of(q{SELECT count(*) FROM topgun.verify('tree', 'n2')});
			$self->damage($second, $rows);
			$values{diff} = $first->time_of($diff);
			$values{repair} = $first->time_of(q{SELECT count(*) FROM topgun.repair('tree', 'n2')});
			my $found = $second->sql('SELECT count(*) FROM tree');
			die "after the repair $found rows of $rows are there\n" if $found != $rows;
			return \%values;
		},
		settings => "topgun.fold_interval = '1h'\ntopgun.repair_interval = 0\ntopgun.scrub_share = 0\n");
}

1;
