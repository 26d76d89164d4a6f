# merge_batch with affinity and stealing on and off, keys even and skewed
package Bench::Workload::affinity;

use strict;
use warnings;
use parent -norequire, 'Bench::Feed';
use Bench::Feed;

use constant WORKERS => 2;

# What each contender has of keys, affinity and stealing.
my @contenders = map { my $keys = $_; map { [ $keys, @$_ ] } [ 'on', 'on' ], [ 'on', 'off' ], [ 'off', 'on' ], [ 'off', 'off' ] }
  ('even', 'skewed');

sub _name { return sprintf('%s keys, affinity %s, stealing %s', @{ $_[0] }); }

my %settings = map { _name($_) => $_ } @contenders;

sub contenders { return map { _name($_) } @contenders; }

sub figures
{
	return (
		[ 'seconds', 's', 'time, ' . WORKERS . ' workers' ],
		[ 'rate', 'rows/s', 'rows merged' ],
		[ 'cpu', 'us', 'CPU per row, fold included' ]);
}

sub measure
{
	my ($self, $contender) = @_;
	my ($keys, $affinity, $stealing) = @{ $settings{$contender} };
	return $self->with_nodes('topgun', 1, sub {
		my ($group) = @_;
		$self->prepare($group, $keys, 1);
		$group->node(1)->sql("SET topgun.merge_affinity = $affinity");
		$group->node(1)->sql("SET topgun.merge_stealing = $stealing");
		return $self->cost_of_merge($group, "CALL topgun.merge_batch('target', 'feed', @{[ WORKERS ]})");
	});
}

1;
