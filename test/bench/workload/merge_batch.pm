# merge_batch of 1M rows with 0, 1, 2, 4 workers beside one backend's INSERT .. ON CONFLICT
package Bench::Workload::merge_batch;

use strict;
use warnings;
use parent -norequire, 'Bench::Feed';
use Bench::Feed;

# The same decision in SQL, into a table that nobody replicates.
my $statement = <<'END';
INSERT INTO target (id, k, payload, topgun_stamp) SELECT id, k, payload, topgun_stamp FROM feed
ON CONFLICT (id) DO UPDATE SET k = excluded.k, payload = excluded.payload, topgun_stamp = excluded.topgun_stamp
WHERE target.topgun_stamp OPERATOR(topgun.<) excluded.topgun_stamp
END

sub contenders { return ('statement', map { "$_ workers" } 0, 1, 2, 4); }

sub figures
{
	return (
		[ 'rate', 'rows/s', 'rows merged' ],
		[ 'seconds', 's', 'time' ],
		[ 'cpu', 'us', 'CPU per row, fold included' ]);
}

sub measure
{
	my ($self, $contender) = @_;
	my ($workers) = $contender =~ /^(\d+) workers$/;
	my $sql = defined $workers ? "CALL topgun.merge_batch('target', 'feed', $workers)" : $statement;
	return $self->with_nodes('topgun', 1, sub {
		my ($group) = @_;
		$self->prepare($group, 'even', defined $workers);
		return $self->cost_of_merge($group, $sql);
	});
}

1;
