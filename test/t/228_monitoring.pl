# docs/monitoring: each query runs on a live cluster as a role that may only
# look, and gives each metric that the dashboard and the alerts use.
use strict;
use warnings;
use CPAN::Meta::YAML;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Scalar::Util qw(looks_like_number);
use Test::More;
use TopGun::Monitored;

my $dir = 'docs/monitoring';

sub yaml { return CPAN::Meta::YAML->read_string(slurp_file("$dir/$_[0]"))->[0]; }

my $cluster = TopGun::Monitored->new;
$cluster->wait_until(1, q{SELECT bool_and(last_heartbeat IS NOT NULL AND state = 'streaming') FROM topgun.stat_peer});

is($cluster->sql(1, q{SELECT rolsuper FROM pg_roles WHERE rolname = 'metrics'}), 'f', 'a role that may only look');

# The rows of a query, as an exporter gets them.
sub rows
{
	my ($query) = @_;
	$query =~ s/;?\s*$//;
	my ($code, $out, $error) = $cluster->node(1)->psql('postgres', "SELECT row_to_json(q) FROM ($query) AS q",
		extra_params => [ '-U', 'metrics' ]);
	return "failed: $error" if $code != 0;
	return [ map { decode_json($_) } split(/\n/, $out) ];
}

# What an exporter makes of a query: false, if rows are missing or a column is
# not what it is said to be.
sub check_query
{
	my ($name, $query, $labels, $values) = @_;
	my $rows = rows($query);
	ok(ref $rows && @$rows > 0, "query $name gives rows") or return diag($rows);
	is(join(' ', sort keys %{ $rows->[0] }), join(' ', sort @$labels, @$values), "query $name: every column is used, and none is missing");
	my @bad = grep { my $row = $_; grep { !looks_like_number($row->{$_} // 'x') } @$values } @$rows;
	is(scalar(@bad), 0, "query $name: all values are numbers") or diag(encode_json(\@bad));
	my %seen;
	is(scalar(grep { my $row = $_; $seen{ join("\t", map { $row->{$_} // 'NULL' } @$labels) }++ } @$rows), 0,
		"query $name: no labels come twice");
	return;
}

is(rows('SELECT current_user AS who')->[0]{who}, 'metrics', 'which asks');

# ------------------------------------------------------------- postgres_exporter
my $queries = yaml('postgres_exporter.yml');
my %labels_of;
my %type_of;
foreach my $name (sort keys %$queries)
{
	my (@labels, @values);
	foreach my $metric (@{ $queries->{$name}{metrics} })
	{
		my ($column) = keys %$metric;
		my $usage = $metric->{$column}{usage};
		push @{ $usage eq 'LABEL' ? \@labels : \@values }, $column;
		$type_of{"${name}_$column"} = lc($usage) if $usage ne 'LABEL';
		like($usage, qr/^(LABEL|GAUGE|COUNTER)$/, "$name.$column: usage");
		ok($metric->{$column}{description}, "$name.$column: description");
	}
	check_query($name, $queries->{$name}{query}, \@labels, \@values);
	$labels_of{"${name}_$_"} = [ sort @labels ] foreach @values;
}
is(join(' ', grep { ($type_of{$_} eq 'counter') ne /_total$/ } sort keys %type_of), '', 'counters, and nothing else, are named _total');

# ------------------------------------------------------------------ sql_exporter
my $collector = yaml('sql_exporter.collector.yml');
my %query = map { $_->{query_name} => $_->{query} } @{ $collector->{queries} };
my %columns;
my %collected;
foreach my $metric (@{ $collector->{metrics} })
{
	$collected{ $metric->{metric_name} } = [ $metric->{type}, sort @{ $metric->{key_labels} } ];
	push @{ $columns{ $metric->{query_ref} }{values} }, @{ $metric->{values} };
	$columns{ $metric->{query_ref} }{labels} = $metric->{key_labels};
}
is(join(' ', sort keys %query), join(' ', sort keys %columns), 'each query is used, and each that is used is there');
check_query("$_ (sql_exporter)", $query{$_}, $columns{$_}{labels}, $columns{$_}{values}) foreach sort keys %columns;
is_deeply(\%collected, { map { $_ => [ $type_of{$_}, @{ $labels_of{$_} } ] } keys %type_of },
	'both exporters give the same metrics, types and labels');

# ------------------------------------------------------- who uses these metrics
# The names in an expression, and the labels that it and its texts use.
sub check_expression
{
	my ($what, $expression, @texts) = @_;
	my @names = $expression =~ /\b(topgun_\w+)/g;
	my @missing = grep { !$labels_of{$_} } @names;
	is("@missing", '', "$what: each metric exists");
	ok(@names > 0, "$what: it uses one");
	my %known = map { $_ => 1 } 'instance', 'job', map { @{ $labels_of{$_} || [] } } @names;
	my @used = map { /(\w+)\s*=/g } $expression =~ /\{([^}]*)\}/g;
	push @used, map { split(/[\s,]+/, $_) } $expression =~ /\bby \(([^)]*)\)/g;
	push @used, "@texts" =~ /\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}/g;
	is(join(' ', grep { !$known{$_} } @used), '', "$what: each label exists");
	return;
}

my $dashboard = decode_json(slurp_file("$dir/dashboard.json"));
cmp_ok(scalar(@{ $dashboard->{panels} }), '>', 10, 'the dashboard has panels');
my %ids;
foreach my $panel (@{ $dashboard->{panels} })
{
	ok(!$ids{ $panel->{id} }++, "panel $panel->{title} has an id of its own");
	check_expression("panel $panel->{title}", $_->{expr}, $_->{legendFormat}) foreach @{ $panel->{targets} };
}
check_expression("variable $_->{name}", $_->{definition}) foreach grep { $_->{definition} } @{ $dashboard->{templating}{list} };

my %alerts;
foreach my $group (@{ yaml('alerts.yml')->{groups} })
{
	foreach my $rule (@{ $group->{rules} })
	{
		ok(!$alerts{ $rule->{alert} }++, "alert $rule->{alert} is there once");
		like($rule->{for}, qr/^\d+[smh]$/, "alert $rule->{alert}: for how long");
		like($rule->{labels}{severity}, qr/^(critical|warning|info)$/, "alert $rule->{alert}: severity");
		check_expression("alert $rule->{alert}", $rule->{expr}, values %{ $rule->{annotations} });
	}
}
cmp_ok(scalar(keys %alerts), '>', 10, 'there are alerts');
my %tested = map { $_ => 1 } slurp_file("$dir/alerts_test.yml") =~ /^  - name: (Topgun\w+)$/mg;
is(join(' ', sort keys %tested), join(' ', sort keys %alerts), 'promtool can test each');

# ---------------------------------------------------------------- and they speak
# Of a peer that is away the metrics say so.
$cluster->node(2)->stop('immediate');
my $away = sub {
	my $rows = rows("SELECT q.streaming FROM ($queries->{topgun_peer}{query}) AS q");
	return ref $rows && $rows->[0]{streaming} == 0;
};
my $seen = 0;
for (1 .. 100)
{
	last if $seen = $away->();
	select(undef, undef, undef, 0.1);
}
ok($seen, 'a peer that is away is not streaming');
$cluster->node(2)->start;
$cluster->assert_converged;
done_testing();
