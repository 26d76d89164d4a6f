# docs/monitoring, as real programs see it: what postgres_exporter makes of its
# queries on a live node, what Prometheus makes of that, the alerts and the
# expressions of the dashboard.  PROMETHEUS is the directory of the programs.
use strict;
use warnings;
use HTTP::Tiny;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use TopGun::Monitored;

my $programs = $ENV{PROMETHEUS} or die 'PROMETHEUS is not set';
my $documents = "$ENV{TESTDIR}/docs/monitoring";
my $dir = PostgreSQL::Test::Utils::tempdir();
my $http = HTTP::Tiny->new(timeout => 10);

# ---------------------------------------------------------------------- promtool
command_ok([ "$programs/promtool", 'check', 'rules', "$documents/alerts.yml" ], 'promtool takes the alerts');
command_ok([ "$programs/promtool", 'test', 'rules', "$documents/alerts_test.yml" ], 'each alert is raised when it should be');

# -------------------------------------------------------- a node and its exporter
my $cluster = TopGun::Monitored->new;

# Start a program that answers at a port of its own; returns its address.
my @started;

sub start
{
	my ($name, $port, @arguments) = @_;
	push @started, IPC::Run::start([ "$programs/$name", @arguments ], '>', "$dir/$name.log", '2>', "$dir/$name.log");
	for (1 .. 100)
	{
		last if $http->get("http://127.0.0.1:$port/metrics")->{success};
		sleep(0.1);
	}
	return "127.0.0.1:$port";
}

my $port = PostgreSQL::Test::Cluster::get_free_port();
local $ENV{DATA_SOURCE_NAME} = 'host=' . $cluster->node(1)->host . ' port=' . $cluster->node(1)->port . ' user=metrics dbname=postgres sslmode=disable';
my $exporter = start('prometheus-postgres-exporter', $port, "--web.listen-address=127.0.0.1:$port",
	"--extend.query-path=$documents/postgres_exporter.yml");

# Of each metric of ours: its type and samples.
sub metrics
{
	my %metrics;
	foreach my $line (split(/\n/, $http->get("http://$exporter/metrics")->{content}))
	{
		$metrics{$1}{type} = $2 if $line =~ /^# TYPE (topgun_\w+) (\w+)$/;
		push @{ $metrics{$1}{samples} }, $2 if $line =~ /^(topgun_\w+)\{.*\} (\S+)$/;
	}
	return %metrics;
}
my %metrics = metrics();
my %queries;
my $query = '';
foreach my $line (split(/\n/, slurp_file("$documents/postgres_exporter.yml")))
{
	$query = $1 if $line =~ /^(topgun_\w+):$/;
	push @{ $queries{$query} }, $1 if $line =~ /^    - (\w+):$/;
	$queries{"${query}_$queries{$query}[-1]"} = lc($1) if $line =~ /usage: "(GAUGE|COUNTER)"/;
}
my @expected = grep { !ref $queries{$_} } sort keys %queries;
cmp_ok(scalar(@expected), '>', 50, 'there are many metrics');
is(join("\n", map { "$_ " . ($metrics{$_}{type} // 'is missing') } @expected), join("\n", map { "$_ $queries{$_}" } @expected),
	'the exporter gives each, with its type');
is($metrics{topgun_status_active}{samples}[0], '1', 'the node is active');
is(scalar(grep { $_ != 0 } @{ $metrics{topgun_diagnose_findings}{samples} }), 0, 'nothing is found to be wrong');

# -------------------------------------------------------------------- Prometheus
append_to_file("$dir/prometheus.yml", <<"END");
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files:
  - $documents/alerts.yml
scrape_configs:
  - job_name: topgun
    static_configs:
      - targets: ['$exporter']
END
my $prometheus_port = PostgreSQL::Test::Cluster::get_free_port();
my $prometheus = start('prometheus', $prometheus_port, "--web.listen-address=127.0.0.1:$prometheus_port",
	"--config.file=$dir/prometheus.yml", "--storage.tsdb.path=$dir/tsdb");

sub ask
{
	my ($path, %parameters) = @_;
	my $answer = $http->get("http://$prometheus/api/v1/$path?" . $http->www_form_urlencode(\%parameters));
	return $answer->{content} if !$answer->{success};
	return decode_json($answer->{content})->{data};
}

# The results of an expression, as soon as there are any.
sub results
{
	my ($expression) = @_;
	my $found;
	for (1 .. 100)
	{
		$found = ask('query', query => $expression);
		last if !ref $found || @{ $found->{result} };
		sleep(0.1);
	}
	return ref $found ? scalar(@{ $found->{result} }) : $found;
}

foreach my $panel (@{ decode_json(slurp_file("$documents/dashboard.json"))->{panels} })
{
	foreach my $target (@{ $panel->{targets} })
	{
		my $expression = $target->{expr} =~ s/\$instance/.*/gr;
		cmp_ok(results($expression), '>', 0, "panel $panel->{title}: $expression");
	}
}
my %alerts;
for (1 .. 100)
{
	%alerts = map { $_->{name} => $_ } map { @{ $_->{rules} } } @{ ask('rules')->{groups} };
	last if !grep { $_->{health} eq 'unknown' } values %alerts;
	sleep(0.1);
}
cmp_ok(scalar(keys %alerts), '>', 10, 'there are alerts');
is(join(' ', grep { $alerts{$_}{health} ne 'ok' || $alerts{$_}{state} ne 'inactive' } sort keys %alerts), '', 'which are evaluated, and quiet');

# A node stops.
$cluster->node(2)->stop('immediate');
my $pending = '';
for (1 .. 300)
{
	$pending = join(' ', sort map { $_->{name} } grep { $_->{state} eq 'pending' } map { @{ $_->{rules} } } @{ ask('rules')->{groups} });
	last if $pending =~ /TopgunPeerDown/ && $pending =~ /TopgunPeerSuspected/ && $pending =~ /TopgunMinority/;
	sleep(0.1);
}
like($pending, qr/TopgunMinority.*TopgunPeerDown.*TopgunPeerSuspected/, 'the alerts for a node that has stopped are under way');
$cluster->node(2)->start;
$cluster->assert_converged;
foreach my $run (@started) { $run->signal('TERM'); IPC::Run::finish($run); }
$cluster->stop;
done_testing();
