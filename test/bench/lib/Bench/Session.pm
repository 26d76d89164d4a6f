# A psql that stays: one connection, one statement after the other.
package Bench::Session;

use strict;
use warnings;
use Bench::Command qw(contents);
use IO::Handle;
use IPC::Open3 ();
use Time::HiRes qw(time);

our $patience = 1800;    # seconds that a statement may take
my $sessions_made = 0;

sub new
{
	my ($class, $server) = @_;
	my $self = bless { serial => 0, errors => "$server->{dir}/session." . ++$sessions_made }, $class;
	open(my $errors, '>', $self->{errors}) or die "$self->{errors}: $!\n";
	$self->{pid} = IPC::Open3::open3($self->{in}, $self->{out}, '>&' . fileno($errors),
		"$server->{bindir}/psql", '-XAtq', '-d', $server->dsn);
	$self->{in}->autoflush(1);
	$self->{backend} = $self->sql('SELECT pg_backend_pid()');
	return $self;
}

# The process of the server that works for us.
sub backend { my ($self) = @_; return $self->{backend}; }

# Send a statement; answer() waits for its end.
sub ask
{
	my ($self, $sql) = @_;
	my $mark = 'end of ' . ++$self->{serial};
	$self->{asked} = $sql;
	print { $self->{in} } "$sql;\n\\echo :ERROR $mark\n" or die "psql is gone: $!\n";
	return;
}

sub answer
{
	my ($self) = @_;
	my $mark = "end of $self->{serial}\n";
	my $deadline = time() + $patience;
	my $text = '';
	my $failed;
	while (1)
	{
		if ($text =~ s/(?:^|\n)(true|false) $mark\z//)
		{
			$failed = $1 eq 'true';
			last;
		}
		my $left = $deadline - time();
		my $waiting = '';
		vec($waiting, fileno($self->{out}), 1) = 1;
		die "no answer in $patience s: $self->{asked}\n"
		  if $left <= 0 || !select($waiting, undef, undef, $left);
		sysread($self->{out}, $text, 65536, length($text))
		  or die "the connection is lost: $self->{asked}\n" . contents($self->{errors});
	}
	die contents($self->{errors}) . "in: $self->{asked}\n" if $failed;
	return $text;
}

sub sql
{
	my ($self, $sql) = @_;
	$self->ask($sql);
	return $self->answer;
}

# Seconds that a statement takes.
sub time_of
{
	my ($self, $sql) = @_;
	my $began = time();
	$self->sql($sql);
	return time() - $began;
}

sub end
{
	my ($self) = @_;
	return if !$self->{pid};
	close($self->{in});
	waitpid(delete $self->{pid}, 0);
	return;
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $!, $@);
	$self->end;
	return;
}

1;
