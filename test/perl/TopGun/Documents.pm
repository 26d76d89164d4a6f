# The commands of the documents, executed as they stand there.
#
# A document is executed from its beginning to its end, block by block:
#
#	```sh		a shell script; it must succeed.  What it exports lasts
#	```sql		a psql script; it must succeed.  Its first line says where: "-- on a",
#				"-- on a, b and c"; else where the last one was
#	```console	a session, with what it shows.  "a=# " is the prompt of a psql at node a,
#				"$ " that of a shell.  "..." stands for anything
#	```ini		lines of postgresql.conf: settings that exist, values that they take
#	```mermaid	a picture
#	```text		nothing that can be executed
#
# No other block may be there.  A block that this test cannot execute says who
# does what it says, or that nobody does, and why; programs, targets, packages
# and options that it names must exist:
#
#	```sh run by test/run: needs root
#	```sh not run: takes hours
#
# What a reader does with his hands, the test does where a comment says so:
#
#	<!-- test: cut c -->		nobody reaches node c, and it reaches nobody
#	<!-- test: heal c -->
#	<!-- test: the clock of b is 5 s ahead -->
#	<!-- test: the clock of b is right -->
#	<!-- test: 4 s pass -->		where it is the time that matters
#	<!-- test: numbers vary -->	in the next block; so do "64 bits", as 16 hexadecimal digits
#
# Nodes live in /tmp/topgun, says the document; here they live elsewhere.
#
# If TOPGUN_RECORD names a directory, the document is written there, with what
# its sessions have really shown; frames of \watch stay as they are.
package TopGun::Documents;

use strict;
use warnings;
use parent 'TopGun::Stops';
use File::Basename qw(basename);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use TopGun::Proxy;

# The folder that documents name.
my $folder = '/tmp/topgun';
my $database = 'app';

# How long to wait for what is shown, in seconds.
our $patience = 20;

# Statements that are not repeated until they show what they should.
my $acts = qr/topgun\.(?:create_cluster|join|leave|evict|rejoin|add_table|remove_table|repair|verify|merkle_rebuild
	|merge_batch|issue_token|release_token|retry_quarantine|discard_quarantine|reset_\w+)\b|pg_promote|pg_reload/x;

# Nodes may be any of these.
my @names = 'a' .. 'e';

sub new
{
	my ($class, $top, $bindir) = @_;
	my $base = PostgreSQL::Test::Utils::tempdir_short();
	my ($dir, $links) = ("$base/n", "$base/link");
	my $self = bless {
		top => $top, bindir => $bindir, dir => $dir, links => $links, home => "$base/home",
		node => 'a', watched => [], varies => {}
	}, $class;
	my %links;
	mkdir $_ foreach $dir, $links, $self->{home};
	foreach my $name (@names)
	{
		mkdir "$links/$name";
		$links{$name} = {
			listen => "$links/$name/.s.PGSQL.5432",
			forward => "$dir/$name/.s.PGSQL.5432",
			pidfile => "$dir/$name/data/postmaster.pid",
		};
	}
	$self->make_programs;
	$self->{proxy} = TopGun::Proxy->start(%links);
	return $self;
}

# Programs that do not wait for the disk, before those of the server in PATH.
sub make_programs
{
	my ($self) = @_;
	mkdir "$self->{home}/bin";
	foreach my $name ('initdb', 'pg_basebackup', 'pg_dump')
	{
		my $path = "$self->{home}/bin/$name";
		PostgreSQL::Test::Utils::append_to_file($path, <<"END");
#!/bin/bash
$self->{bindir}/$name --no-sync "\$@" || exit
[ $name != initdb ] || while [ \$# -gt 0 ]; do
	[ "\$1" != -D ] || echo 'fsync = off' >>"\$2/postgresql.conf"
	shift
done
END
		chmod 0755, $path;
	}
	return;
}

# ---------------------------------------------------------------- documents

# The blocks and directives of a document, in order.
sub parts
{
	my ($path) = @_;
	my (@parts, $block);
	my $heading = '';
	my $line = 0;
	foreach my $text (split(/\n/, PostgreSQL::Test::Utils::slurp_file($path)))
	{
		$line++;
		if ($block && $text =~ /^ *```\s*$/)
		{
			push @parts, $block;
			undef $block;
		}
		elsif ($block) { $block->{text} .= "$text\n"; }
		elsif ($text =~ /^ *```(\w*) *(.*)$/)
		{
			$block = { language => $1, info => $2, text => '', heading => $heading, place => "$path:$line", line => $line };
		}
		elsif ($text =~ /^<!-- test: (.*?) -->$/)
		{
			push @parts, { directive => $1, heading => $heading, place => "$path:$line" };
		}
		elsif ($text =~ /^#+ (.*)$/) { $heading = $1; }
	}
	die "$path: a block does not end" if $block;
	return @parts;
}

# Execute a document, or what it has under some headings.
sub execute
{
	my ($self, $path, @headings) = @_;
	my %wanted = map { $_ => 1 } @headings;
	my @parts = parts("$self->{top}/$path");
	foreach my $part (@parts)
	{
		next if %wanted && !$wanted{ $part->{heading} };
		(my $name = $part->{place}) =~ s!^\Q$self->{top}/!!;
		my $began = time();
		my $error = $self->part($part);
		next if defined $part->{directive} && $error eq '';
		ok($error eq '', "$name: " . ($part->{language} // 'test') . " ($part->{heading})") or diag($error);
		note(sprintf('%.1f s', time() - $began));
		return 0 if $error ne '';
	}
	$self->record($path, @parts) if $ENV{TOPGUN_RECORD};
	return 1;
}

# Write a document as its sessions went.
sub record
{
	my ($self, $path, @parts) = @_;
	my @lines = split(/\n/, PostgreSQL::Test::Utils::slurp_file("$self->{top}/$path"));
	foreach my $part (reverse grep { $_->{went} } @parts)
	{
		splice(@lines, $part->{line}, scalar(split(/^/, $part->{text})), @{ $part->{went} });
	}
	my $copy = "$ENV{TOPGUN_RECORD}/" . basename($path);
	unlink $copy;
	PostgreSQL::Test::Utils::append_to_file($copy, join("\n", @lines) . "\n");
	note("measured: $copy is $path as it went");
	return;
}

# What is wrong with a part; empty if nothing.
sub part
{
	my ($self, $part) = @_;
	return $self->obey($part->{directive}) if defined $part->{directive};
	my $text = $self->here($part->{text});
	my $language = $part->{language};
	my $error;
	if ($part->{info} ne '') { $error = $self->run_elsewhere($part); }
	elsif ($language eq 'sh') { $error = $self->shell($text); }
	elsif ($language eq 'sql') { $error = $self->script($text); }
	elsif ($language eq 'console') { $error = $self->session($part); }
	elsif ($language eq 'ini') { $error = $self->settings($text); }
	elsif ($language eq 'text' || $language eq 'mermaid') { $error = ''; }
	else { $error = "no block may be in the language \"$language\""; }
	$self->{varies} = {};
	return $error;
}

# Peers reach a node by a link that can be cut.
sub here
{
	my ($self, $text) = @_;
	$text =~ s!host=\Q$folder\E/([a-z])\b!host=$self->{links}/$1!g;
	$text =~ s!\Q$folder\E\b!$self->{dir}!g;
	$text =~ s!/usr/lib/postgresql/15/bin\b!$self->{home}/bin:$self->{bindir}!g;
	return $text;
}

# As the document says it.
sub there
{
	my ($self, $text) = @_;
	$text =~ s!\Q$self->{links}\E/!$folder/!g;
	$text =~ s!\Q$self->{dir}\E!$folder!g;
	return $text;
}

sub obey
{
	my ($self, $directive) = @_;
	if ($directive =~ /^(cut|heal) ([a-z])$/)
	{
		foreach my $other (grep { $_ ne $2 } @names)
		{
			$self->{proxy}->set($2, $other, $1 eq 'cut' ? 'reset' : 'pass');
			$self->{proxy}->set($other, $2, $1 eq 'cut' ? 'reset' : 'pass');
		}
	}
	elsif ($directive =~ /^(\d+) s pass$/) { sleep($1); }
	elsif ($directive =~ /^the clock of ([a-z]) is (?:right|(\d+) s ahead)$/)
	{
		my $ms = ($2 // 0) * 1000;
		my ($status, $output) = $self->run("ALTER SYSTEM SET topgun.clock_offset = $ms; SELECT pg_reload_conf();",
			$self->psql($1, '-q', '-v', 'ON_ERROR_STOP=1'));
		return $output if $status != 0;
	}
	elsif ($directive =~ /^(numbers|64 bits) vary$/) { $self->{varies}{$1} = 1; }
	else { return "there is no directive \"$directive\""; }
	return '';
}

# --------------------------------------------------------------------- blocks

# Run a program with this input; returns its status and all that it says.
sub run
{
	my ($self, $input, @command) = @_;
	my $stem = "$self->{home}/step";
	open(my $out, '>', "$stem.in") or die "$stem.in: $!";
	print $out $input;
	close($out);
	my $pid = fork() // die "cannot fork: $!";
	if ($pid == 0)
	{
		chdir $self->{top};
		$ENV{HOME} = "$self->{home}";
		$ENV{PATH} = "$self->{home}/bin:$self->{bindir}:$ENV{PATH}";
		delete @ENV{qw(PGHOST PGPORT PGDATABASE PGUSER)};
		$ENV{PGTZ} = 'UTC';
		open(STDIN, '<', "$stem.in") or POSIX::_exit(126);
		open(STDOUT, '>', "$stem.out") or POSIX::_exit(126);
		open(STDERR, '>&', \*STDOUT) or POSIX::_exit(126);
		exec(@command) or POSIX::_exit(127);
	}
	waitpid($pid, 0);
	return ($? >> 8 || $?, PostgreSQL::Test::Utils::slurp_file("$stem.out"));
}

# A shell that goes on where the last one has ended.
sub bash
{
	my ($self, $text) = @_;
	my $state = "$self->{home}/state";
	return $self->run("set -euo pipefail\n[ ! -f $state ] || . $state\n$text\nexport -p >$state\n", 'bash');
}

sub psql
{
	my ($self, $node, @arguments) = @_;
	return ('psql', '-X', '-h', "$self->{dir}/$node", '-d', $database, @arguments);
}

sub shell
{
	my ($self, $text) = @_;
	my ($status, $output) = $self->bash($text);
	return $status == 0 ? '' : "exit status $status\n$output";
}

sub script
{
	my ($self, $text) = @_;
	my @nodes = $text =~ /\A-- on ((?:[a-z], )*(?:[a-z] and )?[a-z])\b/ ? $1 =~ /\b[a-z]\b/g : ($self->{node});
	my $report = '';
	foreach my $node (@nodes)
	{
		my ($status, $output) = $self->run($text, $self->psql($node, '-q', '-v', 'ON_ERROR_STOP=1'));
		$report .= "on $node: $output" if $status != 0;
	}
	$self->{node} = $nodes[-1];
	return $report;
}

# Settings must be known to the server, and take these values.
sub settings
{
	my ($self, $text) = @_;
	my $report = '';
	foreach my $line (split(/\n/, $text))
	{
		next if $line =~ /^\s*(#|$)/;
		my ($name, $value) = $line =~ /^([\w.]+) = (\S+|'[^']*')\s*(?:#.*)?$/ or return "not a setting: $line";
		$value =~ s/^'(.*)'$/$1/;
		my ($status, $output) = $self->run('', "$self->{bindir}/postgres", '-D', "$self->{dir}/a/data",
			"--$name=$value", '-C', $name =~ /^topgun\./ ? 'shared_preload_libraries' : $name);
		$report .= "$line: $output" if $status != 0;
		($status, $output) = $self->run("SELECT count(*) FROM pg_settings WHERE name = '$name'", $self->psql('a', '-At'));
		$report .= "$line: there is no such setting\n" if $output !~ /^1$/m;
	}
	return $report;
}

# --------------------------------------------------------------------- sessions

# The commands of a block, each with the lines that it stands on and shows.
sub steps
{
	my ($text) = @_;
	my @steps;
	foreach my $line (split(/\n/, $text))
	{
		if ($line =~ /\(every \d+s\)$/ && (!@steps || ($steps[-1]{command} // '\\watch') !~ /\\watch/))
		{
			push @steps, { lines => [], shown => [$line] };
		}
		elsif ($line =~ /^([a-z])=[#>] (.*)$/) { push @steps, { lines => [$line], node => $1, command => $2, shown => [] }; }
		elsif ($line =~ /^\$ (.*)$/) { push @steps, { lines => [$line], command => $1, shown => [] }; }
		elsif (@steps && defined $steps[-1]{node} && !@{ $steps[-1]{shown} } && $line =~ /^[a-z][-'"(][#>] (.*)$/)
		{
			$steps[-1]{command} .= "\n$1";
			push @{ $steps[-1]{lines} }, $line;
		}
		elsif (@steps && ($steps[-1]{command} // '') =~ /\\$/ && $line =~ /^> (.*)$/)
		{
			$steps[-1]{command} .= "\n$1";
			push @{ $steps[-1]{lines} }, $line;
		}
		else
		{
			push @steps, { lines => [], shown => [] } if !@steps;
			push @{ $steps[-1]{shown} }, $line;
		}
	}
	return @steps;
}

sub session
{
	my ($self, $part) = @_;
	my @steps = steps($part->{text});
	foreach my $step (@steps)
	{
		$step->{command} = $self->here($step->{command}) if defined $step->{command};
		my $error = $self->step($step);
		return $error if $error ne '';
	}
	$part->{went} = [ map { (@{ $_->{lines} }, $self->went($_)) } @steps ];
	return '';
}

# What a step has shown, as lines of a document.
sub went
{
	my ($self, $step) = @_;
	my @shown = @{ $step->{shown} };
	return @shown if !defined $step->{output} || grep { /^\.\.\./ } @shown;
	my @lines = map { s/\s+$//r } split(/\n/, $self->there($step->{output}));
	pop @lines while @lines && $lines[-1] eq '';
	return (@lines, @shown && $shown[-1] eq '' ? '' : ());
}

sub step
{
	my ($self, $step) = @_;
	my $frames = join("\n", @{ $step->{shown} });
	if (($step->{command} // '') =~ /^(.*?);?\s*\\watch\b/s)
	{
		push @{ $self->{watched} }, { node => $step->{node}, command => $1 };
	}
	return $self->frames($frames)
	  if !defined $step->{command} || $step->{command} =~ /\\watch\b/;
	$self->{watched} = [] if $step->{command} =~ /^SELECT/;
	return $self->shows([$step], $frames);
}

# Frames of \watch: each is waited for.
sub frames
{
	my ($self, $text) = @_;
	foreach my $frame (split(/^.*\(every \d+s\)\n/m, $text))
	{
		next if $frame =~ /^\s*$/;
		my $error = $self->shows($self->{watched}, $frame);
		return $error if $error ne '';
	}
	return '';
}

# Wait until one of these commands shows what is expected.
sub shows
{
	my ($self, $steps, $expected) = @_;
	my $pattern = $self->pattern($expected);
	my $deadline = time() + $patience;
	while (1)
	{
		my $report = '';
		my $again = 0;
		foreach my $step (@$steps)
		{
			my ($status, $output) =
			  defined $step->{node}
			  ? $self->run('', $self->psql($step->{node}, '-c', $step->{command} =~ s/;\s*$//r))
			  : $self->bash($step->{command});
			my $found = $self->normal($output);
			$step->{output} = $output;
			return '' if $found =~ $pattern;
			$again = 1 if defined $step->{node} && $step->{command} =~ /^(SELECT|TABLE)\b/ && $step->{command} !~ $acts;
			$report .= "$step->{command}\nshould show\n" . $self->normal($expected) . "\nshows\n$found\n";
		}
		return $report || 'there is nothing to watch' if !$again || time() > $deadline;
		sleep(0.2);
	}
	return;
}

# Text without what differs from one time to the next.
sub normal
{
	my ($self, $text) = @_;
	$text = $self->there($text);
	$text =~ s/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?Z\/\d+(?=\@\d)/STAMP/g;
	$text =~ s/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?:[+-]\d\d)?/TIME/g;
	$text =~ s/(?<![\w.])-?\d+\.\d+\b/NUMBER/g;
	$text =~ s/(?<!\w)-?\d+\b/NUMBER/g if $self->{varies}{numbers};
	$text =~ s/\b(?:[0-9a-f]{16}|[0-9a-f]{24,})\b/BITS/g if $self->{varies}{'64 bits'};
	$text =~ s/-{2,}/--/g;
	$text =~ s/[ \t]+/ /g;
	$text =~ s/^ | $//mg;
	$text =~ s/\n{2,}/\n/g;
	$text =~ s/\A\s+|\s+\z//g;
	return $text;
}

sub pattern
{
	my ($self, $expected) = @_;
	my $pattern = quotemeta($self->normal($expected));
	$pattern =~ s/^\\\.\\\.\\\.(?:\\\n|\z)/(?:.*\\n?)*?/mg;
	$pattern =~ s/\\\.\\\.\\\./.*?/g;
	return qr/\A$pattern\z/;
}

# -------------------------------------------------------- what cannot be run here

# What each of its commands names exists, and so does who runs it, if anybody.
sub run_elsewhere
{
	my ($self, $part) = @_;
	my ($runner) = $part->{info} =~ /^(?:run by (\S+)|not run): \S/;
	return "\"$part->{info}\" does not say who runs it, and why" if $part->{info} !~ /^(?:run by \S+|not run): \S/;
	return "$runner does not exist" if defined $runner && !-f "$self->{top}/$runner";
	note("$part->{place}: $part->{info}");
	my $setup = PostgreSQL::Test::Utils::slurp_file("$self->{top}/test/setup.sh");
	my $report = '';
	foreach my $line (split(/\n/, $part->{text} =~ s/\\\n\s*/ /gr))
	{
		$line =~ s/\s*#.*//;
		$line =~ s/^sudo //;
		my ($word, @words) = split(' ', $line);
		next if !defined $word;
		if ($word eq 'apt-get')
		{
			my @packages = grep { !/^-|^(?:install|update)$/ } @words;
			my @unknown = grep { $setup !~ /[( ]\Q$_\E[ )]/ && $_ ne 'git' } @packages;
			$report .= "test/setup.sh does not install @unknown\n" if @unknown;
		}
		elsif ($word eq 'make')
		{
			my $target = (grep { !/[=-]/ } @words)[0] // 'all';
			my ($status, $output) = $self->run('', 'make', '-n', "PG_CONFIG=$self->{bindir}/pg_config", $target);
			$report .= "$line: $output" if $status != 0;
		}
		elsif ($word =~ m!^(?:test|tools|\.ci)/!)
		{
			$report .= "$word cannot be run\n" if !-x "$self->{top}/$word";
			my $help = PostgreSQL::Test::Utils::slurp_file("$self->{top}/$word");
			foreach my $option (grep { /^-/ } @words)
			{
				$report .= "$word does not know $option\n" if $help !~ /\Q$option\E\b/;
			}
		}
		elsif ($word eq 'dpkg-buildpackage') { $report .= "there is no debian/rules\n" if !-x "$self->{top}/debian/rules"; }
		elsif ($word !~ /^(?:git|cd|cp|su|pg_upgrade)$/) { $report .= "nobody knows \"$word\"\n"; }
	}
	return $report;
}

# ------------------------------------------------------------------- the end

# Stop whatever the documents have started.
sub stop
{
	my ($self) = @_;
	foreach my $pidfile (glob("$self->{dir}/*/data/postmaster.pid"))
	{
		(my $data = $pidfile) =~ s!/postmaster\.pid$!!;
		$self->run('', 'pg_ctl', '-s', '-D', $data, '-m', 'immediate', 'stop');
	}
	$self->{proxy}->stop if $self->{proxy};
	return;
}

1;
