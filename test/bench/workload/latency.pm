# one row while nothing else happens: from the commit on A to visible on B
package Bench::Workload::latency;

use strict;
use warnings;
use parent -norequire, 'Bench::Workload';
use Bench::Figures;
use Time::HiRes qw(sleep);

use constant WRITES => 200;

sub contenders { my ($self) = @_; return grep { $_ ne 'plain' } $self->SUPER::contenders; }

sub figures
{
	return map {
		(
			[ "${_}_p50", 'ms', "sync $_: p50", against => 'native' ],
			[ "${_}_p99", 'ms', "sync $_: p99", against => 'native' ]
		)
	} ('on', 'off');
}

# Both clocks are that of this machine.  Node 2 looks without a pause: a client
# that polls would see steps of its own.
my $write = <<'END';
CREATE PROCEDURE write_beat(number bigint, INOUT at numeric) LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO beat VALUES (number, 0);
	COMMIT;
	at := extract(epoch FROM clock_timestamp());
END $$
END
my $await = <<'END';
CREATE FUNCTION await_beat(number bigint) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	deadline timestamptz := clock_timestamp() + '60 s';
BEGIN
	LOOP
		PERFORM FROM beat WHERE id = number;
		IF FOUND THEN
			RETURN extract(epoch FROM clock_timestamp());
		END IF;
		IF clock_timestamp() > deadline THEN
			RAISE 'beat % does not arrive', number;
		END IF;
	END LOOP;
END $$
END

sub measure
{
	my ($self, $system) = @_;
	return $self->with_nodes($system, 2, sub {
		my ($group) = @_;
		my ($writer, $reader) = map { $_->session } $group->nodes;
		my $beat = 0;
		my %values;
		$group->offer(beat => 'id bigint PRIMARY KEY, v int');
		$group->follow;
		$group->node(1)->sql($write);
		$group->node(2)->sql($await);
		$group->tidy;
		foreach my $sync ('on', 'off')
		{
			$writer->sql("SET synchronous_commit = $sync");
			my @ms;
			foreach (0 .. $self->rows(WRITES))
			{
				$beat++;
				$reader->ask("SELECT await_beat($beat)");
				sleep(0.02 + rand(0.04));
				my $written = $writer->sql("CALL write_beat($beat, NULL)");
				push @ms, 1000 * ($reader->answer - $written);
			}

			# The first one plans its statements.
			shift @ms;
			$values{"${sync}_p50"} = Bench::Figures::quantile(0.5, @ms);
			$values{"${sync}_p99"} = Bench::Figures::quantile(0.99, @ms);
		}
		return \%values;
	});
}

1;
