# initial copy of a table of 5M rows
package Bench::Workload::copy;

use strict;
use warnings;
use parent -norequire, 'Bench::Workload';
use Time::HiRes qw(time);

use constant ROWS => 5_000_000;

sub figures
{
	return (
		[ 'seconds', 's', 'until B has it and follows', against => 'native' ],
		[ 'cpu', 's', 'CPU of both nodes', against => 'native' ],
		[ 'wal', 'B', 'WAL of B per row', against => 'native' ]);
}

sub measure
{
	my ($self, $system) = @_;
	my $rows = $self->rows(ROWS);
	return $self->with_nodes($system, 2, sub {
		my ($group) = @_;
		my $second = $group->node(2);
		$group->offer(copied => $self->row_table);
		$group->node(1)->sql($self->insert_rows('copied', 1, $rows));
		$group->settle;
		$group->tidy;
		my $wal = $second->wal_bytes;
		my $cpu = $group->cpu_seconds;
		my $began = time();
		$group->{system}->link($group, $second);
		my $seconds = time() - $began;
		$cpu = $group->cpu_seconds - $cpu;
		$wal = $second->wal_bytes - $wal;
		my $found = $second->sql('SELECT count(*) FROM copied');
		die "$found rows of $rows are there\n" if $found != $rows;
		return { seconds => $seconds, cpu => $cpu, wal => $wal / $rows };
	});
}

1;
