# The reference in README.md names all that there is, and all documents name
# only what there is.
use strict;
use warnings;
use Cwd qw(getcwd);
use PostgreSQL::Test::Utils;
use Test::More;
use TopGun::Cluster;

my $top = getcwd();
my $cluster = TopGun::Cluster->new(1, join => 0);
my @documents = map { s!^\Q$top\E/!!r } glob("$top/*.md $top/docs/*.md $top/docs/*/*.md $top/test/*/README.md");
my %text = map { $_ => slurp_file("$top/$_") } @documents;

# The rows of the table in README.md that begins with this one, by first cell.
sub table
{
	my ($first) = @_;
	my ($body) = $text{'README.md'} =~ /^\| \Q$first\E \|.*\n\|[-| ]+\n((?:\|.*\n)+)/m
	  or die "README.md has no table \"$first\"";
	my @rows = map { [ map { s/^\s+|\s+$//gr } split(/\|/, s/^\|//r) ] } split(/\n/, $body);
	my %rows = map { $_->[0] => $_ } @rows;
	is(scalar(keys %rows), scalar(@rows), "table \"$first\" names each once");
	return %rows;
}

sub same
{
	my ($found, $expected, $what) = @_;
	return is(join("\n", sort @$found), join("\n", sort @$expected), $what);
}

# ------------------------------------------------------------------- settings
my %settings = table('setting');
my %known = map { my ($name, @rest) = split(/\|/); ("`$name`" => \@rest) } split(/\n/, $cluster->sql(1, <<'END'));
RESET ALL;
SELECT name, CASE WHEN unit IS NULL THEN boot_val
	ELSE set_config(name, boot_val, true) END, context FROM pg_settings
WHERE name LIKE 'topgun.%' AND context = 'user'
UNION ALL
SELECT name, CASE unit WHEN 'kB' THEN boot_val || 'kB' WHEN 'ms' THEN boot_val || 'ms' WHEN 's' THEN boot_val || 's' ELSE boot_val END, context
FROM pg_settings WHERE name LIKE 'topgun.%' AND context <> 'user'
END
same([ keys %settings ], [ keys %known ], 'README.md names the settings');
cmp_ok(scalar(keys %known), '<=', 30, 'there are not too many');

# A number with a unit, in the least unit; other text as it is.
sub plain
{
	my ($value) = @_;
	my %unit = (
		ms => 1, s => 1000, min => 60_000, h => 3_600_000, d => 86_400_000, day => 86_400_000, days => 86_400_000,
		kB => 1, MB => 1024, GB => 1024**2);
	return $1 * $unit{$2} if $value =~ /^(-?[\d.]+) ?(ms|s|min|h|d|days?|kB|MB|GB)$/;
	return $value;
}

foreach my $name (sort keys %known)
{
	my $row = $settings{$name} or next;
	my ($value, $context) = @{ $known{$name} };
	is(plain($row->[1]) =~ s/^0 ms$/0/r, plain($value), "$name: its default");
	is($row->[3], { user => 'session', sighup => 'reload', postmaster => 'restart', superuser => 'superuser' }->{$context},
		"$name: who may change it, when");
}

# ---------------------------------------------------------- functions and views
my $members = <<'END';
JOIN pg_depend AS d ON d.objid = o.oid AND d.deptype = 'e' JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'topgun'
END

# What makes up the type topgun.stamp is not named one by one.
same(
	[ map { /(topgun\.\w+)\(/ } grep { /^`/ } keys %{ { table('function') } } ],
	[ split(/\n/, $cluster->sql(1, <<"END")) ],
SELECT DISTINCT 'topgun.' || proname FROM pg_proc AS o $members AND d.classid = 'pg_proc'::regclass
WHERE pronamespace = 'topgun'::regnamespace AND proname NOT IN ('max', 'min')
	AND proname !~ '^stamp_(in|out|recv|send|lt|le|eq|ne|ge|gt|cmp|sortsupport|hash|hash_extended|larger|smaller)\$'
END
	'README.md names the functions');
foreach my $name (sort { $a cmp $b } grep { /^`/ } keys %{ { table('function') } })
{
	my ($function, $arguments, $result) = $name =~ /^`(?:CALL )?(topgun\.\w+)\((.*?)\)(?: returns (\S.*))?`$/
	  or (fail("$name is no signature"), next);
	my $found = $cluster->sql(1, <<"END");
SELECT pg_get_function_arguments(p.oid) || ' -> ' || coalesce(pg_get_function_result(p.oid), '') FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname || '.' || p.proname = '$function'
END
	# One word is a type: such an argument is not named by callers.
	my @named = map { s/^VARIADIC //r } split(/, /, $arguments);
	my @real = map { s/^(?:IN|VARIADIC) //r } grep { !/^(?:OUT|INOUT) / } split(/, /, $found =~ s/ -> .*//rs);
	is( join(', ', map { s/ .*//r } @named),
		join(', ', map { my $real = $real[$_]; ($named[$_] // '') =~ / / ? $real =~ s/ .*//r : $real =~ s/^\w+ (?=\S+$)//r } 0 .. $#real),
		"$function: its arguments");
	like($found, qr/-> (?:SETOF )?\Q@{[ $result =~ s!^int$!integer!r =~ s!^timestamptz$!timestamp with time zone!r =~ s!^float8$!double precision!r ]}\E$/,
		"$function: what it returns")
	  if defined $result;
}
same(
	[ map { /^`(.*)`$/ } keys %{ { table('view') } } ],
	[ split(/\n/, $cluster->sql(1, <<"END")) ],
SELECT 'topgun.' || relname FROM pg_class AS o $members
WHERE relnamespace = 'topgun'::regnamespace AND (relkind = 'v' OR relname IN ('conflict', 'quarantine', 'epoch_history'))
END
	'README.md names the views');

my ($reference) = $text{'README.md'} =~ /^(\| column \|.*?)^Processes /ms;
my %described = map { $_ => 1 } ($reference // '') =~ /`(\w+)`/g;
same(
	[ grep { !$described{$_} && $_ ne 'stats_reset' } split(/\n/, $cluster->sql(1, <<"END")) ],
SELECT DISTINCT attname FROM pg_attribute AS a JOIN pg_class AS o ON o.oid = a.attrelid $members
WHERE relnamespace = 'topgun'::regnamespace AND (relkind = 'v' OR relname IN ('conflict', 'quarantine', 'epoch_history'))
	AND attnum > 0
END
	[],
	'README.md describes the columns of the views');
same(
	[ keys %{ { table('wait event') } } ],
	[ map { "`$_`" } slurp_file("$top/src/base/wait.c") =~ /"(Topgun\w+)"/g ],
	'README.md names the wait events');

my %states = table('SQLSTATE');
same(
	[ keys %states ],
	[ map { '`' . join('', /'(\w)'/g) . '`' } slurp_file("$top/src/base/error.h") =~ /MAKE_SQLSTATE\((.*?)\)/g ],
	'README.md names the SQLSTATEs');

# ------------------------------------------------------- names in all documents
my %there = map { $_ => 1 } split(/\n/, $cluster->sql(1, <<'END'));
SELECT n.nspname || '.' || x.name FROM pg_namespace AS n JOIN (
	SELECT pronamespace, proname FROM pg_proc UNION SELECT relnamespace, relname FROM pg_class
	UNION SELECT typnamespace, typname FROM pg_type) AS x (namespace, name) ON x.namespace = n.oid
WHERE n.nspname IN ('topgun', 'topgun_internal')
UNION SELECT name FROM pg_settings WHERE name LIKE 'topgun.%'
END
my %columns = map { $_ => 1 } split(/\n/, $cluster->sql(1, <<'END'));
SELECT n.nspname || '.' || c.relname || '.' || a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = 'topgun' AND a.attnum > 0
END

foreach my $document (@documents)
{
	my (@missing, @broken);
	foreach my $name ($text{$document} =~ /\b(topgun(?:_internal)?\.\w+)\b/g)
	{
		push @missing, $name if !$there{$name} && !-e "$top/src/$name" && $name !~ /^topgun\.(?:c|so|control|md|clock)$/;
	}
	foreach my $path ($text{$document} =~ m{`((?:src|test|docs|tools|sql|expected|debian|\.ci)/[\w./-]*\w)[^`]*`}g)
	{
		next if $path =~ /NNN|OLD|^src\/sql\/released$/;
		push @missing, $path if !-e "$top/$path" && !glob("$top/$path.[ch]");
	}
	# "`column` in `topgun.view`"
	while ($text{$document} =~ /(?<!state )((?:`\w+`(?:, | and ))*`\w+`) in `(topgun\.\w+)`/g)
	{
		my ($names, $view) = ($1, $2);
		push @missing, map { "$view.$_" } grep { !$columns{"$view.$_"} } $names =~ /`(\w+)`/g
		  if grep { /^\Q$view\E\./ } keys %columns;
	}
	foreach my $link ($text{$document} =~ /\]\(((?!https?:)[^)\s]+)\)/g)
	{
		my ($file, $anchor) = $link =~ /^([^#]*)(?:#(.*))?$/;
		my $to = $file eq '' ? $document : ($document =~ s![^/]+$!!r) . $file;
		1 while $to =~ s![^/]+/\.\./!!;
		push @broken, $link if !-e "$top/$to";
		push @broken, $link
		  if defined $anchor && !grep { lc(s/[^\w\s-]//gr =~ s/ /-/gr) eq $anchor } ($text{$to} // '') =~ /^#+ (.*)$/mg;
	}
	is("@missing", '', "$document names what there is");
	is("@broken", '', "$document: its links lead somewhere");
}

$cluster->stop;
done_testing();
