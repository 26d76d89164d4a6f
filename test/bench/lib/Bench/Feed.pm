# A workload that merges rows that carry their own stamps: half of them are new,
# of the others every second one is newer than what is there.
package Bench::Feed;

use strict;
use warnings;
use parent -norequire, 'Bench::Workload';
use Bench::Workload;

use constant ROWS => 1_000_000;
use constant STRIDE => 10;

# Keys of the source: i to key.  Even ones are spread over the whole space;
# of skewed ones 90 % lie side by side in a tenth of it.
my %key_of = (
	even => 'i * ' . STRIDE,
	skewed => 'CASE WHEN i % 10 <> 0 THEN i ELSE i * ' . STRIDE . ' END');

# Tables target, with the odd halves of the keys, and feed on one node.  With
# "replicated" the target is a replicated table.
sub prepare
{
	my ($self, $group, $keys, $replicated) = @_;
	my $rows = $self->rows(ROWS);
	my $server = $group->node(1);
	$group->{system}->found($group);
	$server->sql($_) foreach (
		'CREATE TABLE target (id bigint PRIMARY KEY, k int, payload text, topgun_stamp topgun.stamp)',
		'CREATE TABLE feed (LIKE target)',
		"INSERT INTO feed SELECT $key_of{$keys}, i % 1000, lpad(i::text, 100, 'payload ') FROM generate_series(1, $rows) i");
	if ($replicated)
	{
		$server->sql($_) foreach ('ALTER TABLE target DROP topgun_stamp', q{SELECT topgun.add_table('target')});
	}
	$server->sql($_) foreach (
		q{INSERT INTO target (id, k, payload) SELECT id, k, 'old' || payload FROM feed WHERE (k / 2) % 2 = 0},
		$replicated ? 'SELECT 1' : q{UPDATE target SET topgun_stamp = '2021-01-01 00:00:00.000Z/0@9'},
		q{UPDATE feed SET topgun_stamp = CASE WHEN (k / 2) % 2 = 0 AND k % 2 = 0 THEN '2020-01-01 00:00:00.000Z/0@9'
			ELSE to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') || 'Z/0@9' END::topgun.stamp});
	$group->settle;
	$server->sql($_) foreach ('VACUUM FULL target', 'VACUUM FULL feed', 'VACUUM ANALYZE', 'CHECKPOINT');
	return;
}

# Seconds, rows a second and CPU of one statement that merges the feed.
sub cost_of_merge
{
	my ($self, $group, $sql) = @_;
	my $rows = $self->rows(ROWS);
	my $server = $group->node(1);
	my $cost = $group->cost_of($sql);
	my $stands = $server->sql('SELECT count(*) FROM target');
	die "$stands rows of $rows are there\n" if $stands != $rows;
	my $fresh = $server->sql(q{SELECT count(*) FROM target WHERE payload NOT LIKE 'old%'});
	my $expected = $server->sql('SELECT count(*) FROM feed WHERE NOT ((k / 2) % 2 = 0 AND k % 2 = 0)');
	die "$fresh rows are those of the feed, not $expected\n" if $fresh != $expected;
	return { seconds => $cost->{commit}, rate => $rows / $cost->{commit}, cpu => 1e6 * $cost->{cpu} / $rows };
}

1;
