# At every failpoint in the sources: an error, an end of the process, a crash of
# the server.  Whatever it hits, nodes are equal afterwards, acknowledged writes
# are there, and nobody has to help.
use strict;
use warnings;
use File::Find;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use TopGun::Cluster;
use TopGun::Writer;

my %points;
find(
	sub {
		return if !/\.c$/;
		my $text = PostgreSQL::Test::Utils::slurp_file($_);
		$points{$1} = 1 while $text =~ /TG_FAILPOINT\("([^"]+)"\)/g;
	},
	'src');
cmp_ok(scalar(keys %points), '>', 3, 'there are failpoints: ' . join(', ', sort keys %points));

my $cluster = TopGun::Cluster->new(2);
my $dir = PostgreSQL::Test::Utils::tempdir();
$cluster->on_all('CREATE TABLE ledger (id text PRIMARY KEY, v int); CREATE TABLE kv (id int PRIMARY KEY, v text)');
$cluster->add_table($_) foreach 'ledger', 'kv';
$cluster->sql(1, q{INSERT INTO kv SELECT i, 'base' FROM generate_series(1, 100) i});
$cluster->assert_converged;

my %state;
my $turn = 0;
foreach my $point (sort keys %points)
{
	foreach my $action ('error', 'exit', 'crash')
	{
		my $victim = 1 + $turn++ % 2;
		my @writers = map {
			TopGun::Writer->start(node => $cluster->node($_), name => "$turn-$_",
				table => 'ledger', log => "$dir/$turn-$_")
		} 1, 2;
		sleep(0.2);
		$cluster->failpoint($victim, $point, $action);

		# Statements of several shapes, whose failure is no news; a server that
		# restarts breaks the pipe to psql.
		foreach my $i (1, 2)
		{
			eval { $cluster->node($i)->psql('postgres', <<"END", on_error_stop => 0); };
UPDATE kv SET v = '$point $action $i' WHERE id % 3 = $i;
DELETE FROM kv WHERE id % 10 = $i;
INSERT INTO kv SELECT i, 'again' FROM generate_series(1, 100) i ON CONFLICT DO NOTHING;
BEGIN; UPDATE kv SET id = id + 1000 WHERE id = 50; UPDATE kv SET id = id - 1000 WHERE id = 1050; COMMIT;
TRUNCATE kv; INSERT INTO kv SELECT i, 'new' FROM generate_series(1, 100) i;
END
		}
		sleep(0.3);
		$cluster->wait_until($victim, "SELECT topgun_internal.failpoint('$point', 'off') IS NOT NULL");
		$_->stop foreach @writers;
		$cluster->assert_converged;
		foreach my $writer (@writers)
		{
			my $acknowledged = $writer->acknowledged;
			@state{ keys %$acknowledged } = values %$acknowledged;
		}
		foreach my $i (1, 2)
		{
			my %found = map { split(/\|/) } split(/\n/, $cluster->sql($i, 'SELECT id, v FROM ledger'));
			my @wrong = grep { ($found{$_} // 'none') ne ($state{$_} // 'none') } keys %state;
			is("@wrong[0 .. ($#wrong < 4 ? $#wrong : 4)]", '', "$point, $action on $victim: acknowledged writes on node $i");
		}
	}
}

$cluster->stop;
done_testing();
