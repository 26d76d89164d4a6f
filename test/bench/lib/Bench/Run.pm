# All workloads, round by round, contender by contender.
package Bench::Run;

use strict;
use warnings;
use Bench::Command qw(contents);
use Bench::Figures;
use Bench::Segments;
use Bench::Server;
use Bench::System::Native;
use Bench::System::Pglogical;
use Bench::System::Plain;
use Bench::System::Topgun;
use Bench::Table;
use Bench::Workload;
use File::Basename qw(basename);
use JSON::PP ();
use List::Util qw(max);
use POSIX ();
use Time::HiRes qw(time);

our $is_ended = 0;    # set by whoever catches a signal
my @all_systems = ('plain', 'topgun', 'native', 'pglogical');
my $segments_at_full_scale = 192;

# Options: dir, workload_dir, rounds, scale, systems, commit.
sub new
{
	my ($class, %options) = @_;
	my $self = bless { %options, results => [] }, $class;
	die "--rounds is a number from 1\n" if $self->{rounds} !~ /^[1-9]\d*$/;
	die "--scale is a number greater than 0\n" if $self->{scale} !~ /^\d*\.?\d+$/ || $self->{scale} <= 0;
	my @chosen = @{ $self->{systems} };
	foreach my $name (@chosen)
	{
		die "there is no system \"$name\": @all_systems\n" if !grep { $_ eq $name } @all_systems;
	}
	$self->{names} = [ @chosen ? @chosen : @all_systems ];
	$self->{began} = POSIX::strftime('%Y-%m-%d %H:%M:%S', gmtime());
	return $self;
}

# A new one of that name: nothing is kept from one turn to the next.
sub system
{
	my ($self, $name) = @_;
	return ('Bench::System::' . ucfirst($name))->new;
}

sub systems { my ($self) = @_; return @{ $self->{names} }; }

# What the figures depend on.
sub circumstances
{
	my ($self) = @_;
	my ($cpu) = contents('/proc/cpuinfo') =~ /^model name\s*:\s*(.*)$/m;
	my ($memory_kb) = contents('/proc/meminfo') =~ /^MemTotal:\s*(\d+)/m;
	my $cores = () = contents('/proc/cpuinfo') =~ /^processor\s*:/mg;
	return {
		began => "$self->{began} UTC",
		server => Bench::Server::pg_config('version'),
		commit => $self->{commit},
		cores => $cores,
		cpu => $cpu,
		memory_gb => sprintf('%.1f', $memory_kb / 1024 / 1024) + 0,
		rounds => $self->{rounds} + 0,
		scale => $self->{scale} + 0,
	};
}

sub measure
{
	my ($self, @names) = @_;
	@names = map { basename($_, '.pm') } sort(glob("$self->{workload_dir}/*.pm")) if !@names;
	$self->{template} = "$self->{dir}/template";
	Bench::Server::make_template($self->{template}, Bench::Server::pg_config('bindir'));
	$self->{segments} =
	  Bench::Segments->new("$self->{dir}/segments", max(8, int($segments_at_full_scale * $self->{scale})));
	my $here = $self->circumstances;
	print "$here->{server}, topgun $here->{commit}, $here->{cores} cores ($here->{cpu}), $here->{memory_gb} GB, "
	  . "$here->{began}, rounds $here->{rounds}, scale $here->{scale}\n";
	my $all_well = 1;
	foreach my $name (@names)
	{
		$all_well = 0 if !$self->_measure_workload($name);
	}
	return $all_well;
}

sub _measure_workload
{
	my ($self, $name) = @_;
	require "$self->{workload_dir}/$name.pm";
	my $workload = "Bench::Workload::$name"->new($self);
	my @contenders = $workload->contenders;
	my $figures = Bench::Figures->new(\@contenders, [ $workload->figures ]);
	my %result = (workload => $name, figures => $figures, failures => [], began => time());
	push @{ $self->{results} }, \%result;

	print "\n== $name\n";
	foreach my $round (1 .. $self->{rounds})
	{
		# Whoever comes first does not do so every time.
		my @order = map { $contenders[ ($_ + $round - 1) % @contenders ] } 0 .. $#contenders;
		foreach my $contender (@order)
		{
			$self->_measure_turn($workload, \%result, $contender, $round);
			$self->_write;
		}
	}
	$result{seconds} = time() - $result{began};
	print "\n", Bench::Table::of($figures);
	$self->_write;
	return !@{ $result{failures} };
}

# One contender in one round.  What fails is said, and the others go on.
sub _measure_turn
{
	my ($self, $workload, $result, $contender, $round) = @_;
	my $figures = $result->{figures};
	my $began = time();
	my $values = eval { $workload->measure($contender) };
	my $error = $@;
	die "ended by a signal\n" if $is_ended;
	if (defined $values)
	{
		$figures->add($contender, $round - 1, $values);
		printf("%s, round %d: %.0f s\n", $contender, $round, time() - $began);
	}
	elsif ($error =~ /^cannot: (.*)/)
	{
		$figures->remark($contender, "cannot: $1");
	}
	else
	{
		chomp $error;
		printf("%s, round %d: FAILED after %.0f s: %s\n", $contender, $round, time() - $began, $error);
		my ($first) = split(/\n/, $error);
		$figures->remark($contender, "FAILED: $first");
		push @{ $result->{failures} }, { contender => $contender, round => $round, error => $error };
	}
	return;
}

# After each turn, so that what comes later cannot lose it.
sub _write
{
	my ($self) = @_;
	my @workloads =
	  map { { workload => $_->{workload}, seconds => $_->{seconds}, failures => $_->{failures}, %{ $_->{figures}->data } } }
	  @{ $self->{results} };
	my $file = "$self->{dir}/figures.json";
	open(my $out, '>', "$file.new") or die "$file.new: $!\n";
	print {$out} JSON::PP->new->canonical->pretty->encode({ circumstances => $self->circumstances, workloads => \@workloads });
	close($out) && rename("$file.new", $file) or die "$file: $!\n";
	return;
}

1;
