# A network for the nodes of a cluster: each server in a network namespace of its
# own, joined by a bridge.
#
#	my $net = TopGun::Net->new(5);	undef if this machine permits no such thing
#	$net->part(1, 2);				nodes 1 and 2 hear each other, and nobody else
#	$net->unplug(3);				node 3 has lost its carrier
#	$net->heal;
#
# No privilege is needed: a user namespace, in which we are root, owns all of it.
# A node that is set apart is put on another bridge.  So nothing tells TCP of
# the cut: packets vanish, and neighbours' addresses stay known.
package TopGun::Net;

use strict;
use warnings;
use parent 'TopGun::Stops';
use IPC::Open2;
use PostgreSQL::Test::Utils ();

# Obeys lines of shell, and ends with us, whatever ends us.
my $obey = <<'END_OF_SHELL';
while read -r line; do
	eval "$line" 2>&1 || echo "failed: $line"
	echo done
done
kill $holders
END_OF_SHELL

sub new
{
	my ($class, $count) = @_;
	my $self = bless { count => $count, dir => PostgreSQL::Test::Utils::tempdir_short() }, $class;
	local $SIG{PIPE} = 'IGNORE';
	$self->{pid} = open2($self->{said}, $self->{lines},
		'unshare', '--user', '--map-root-user', '--net', 'sh', '-c', $obey);
	return if !eval { $self->_build; 1 };
	return $self;
}

# Have the shell run a line; returns what it says.
sub _run
{
	my ($self, $line) = @_;
	print { $self->{lines} } "$line\n" or die 'the network has gone';
	$self->{lines}->flush or die 'the network has gone';
	my $said = '';
	while (defined(my $part = readline($self->{said})))
	{
		if ($part eq "done\n")
		{
			die $said if $said =~ /^failed: /m;
			return $said;
		}
		$said .= $part;
	}
	die "the network has gone: $said";
}

sub _build
{
	my ($self) = @_;
	foreach my $bridge ('main', 'aside')
	{
		$self->_run("ip link add $bridge type bridge && ip link set $bridge up");
	}
	$self->_add($_) foreach 1 .. $self->{count};
	foreach my $i (1 .. $self->{count})
	{
		foreach my $other (grep { $_ != $i } 1 .. $self->{count})
		{
			$self->_run("$self->{enter}[$i] ip neigh replace " . $self->address($other)
				  . ' lladdr ' . _hardware($other) . ' dev eth0 nud permanent');
		}
		$self->_make_programs($i);
	}
	return;
}

# The namespace of a node lives as long as a process in it.
sub _add
{
	my ($self, $i) = @_;
	$self->_run('unshare --net sleep infinity & holder=$!; holders="$holders $holder"; '
		  . 'while [ "$(readlink /proc/$holder/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do kill -0 $holder || break; done');
	my ($holder) = $self->_run('echo $holder') =~ /^(\d+)$/ or die 'no namespace';
	$self->{holder}[$i] = $holder;
	$self->{enter}[$i] = "nsenter --net --target $holder";
	$self->_run("ip link add port$i type veth peer name eth0 address " . _hardware($i) . " netns $holder");
	$self->_run("ip link set port$i master main up");
	$self->_run("$self->{enter}[$i] ip address add " . $self->address($i) . '/24 dev eth0');
	$self->_run("$self->{enter}[$i] ip link set $_ up") foreach 'lo', 'eth0';
	return;
}

sub _hardware { my ($i) = @_; return sprintf('02:00:00:00:00:%02x', $i); }

sub address { my ($self, $i) = @_; return "10.77.0.$i"; }

# The server's programs, as they are in PATH, but for one that starts the server
# in the node's namespace.  It must not run as root, not even of that kind.
sub _make_programs
{
	my ($self, $i) = @_;
	my $real = `pg_config --bindir`;
	chomp $real;
	my $bin = $self->installation($i) . '/bin';
	mkdir $self->installation($i) or die "could not make a directory: $!";
	mkdir $bin or die "could not make a directory: $!";
	foreach my $program (grep { !m{/pg_ctl$} } glob("$real/*"))
	{
		symlink($program, $bin . '/' . ($program =~ s{.*/}{}r)) or die "could not link $program: $!";
	}
	my ($user, $group) = ($>, $) =~ /^(\d+)/);
	open(my $out, '>', "$bin/pg_ctl") or die "could not write $bin/pg_ctl: $!";
	print $out <<"END_OF_SHELL";
#!/bin/sh
exec nsenter --user --net --preserve-credentials --target $self->{holder}[$i] \\
	unshare --user --map-user=$user --map-group=$group $real/pg_ctl "\$@"
END_OF_SHELL
	close($out);
	chmod(0755, "$bin/pg_ctl");
	PostgreSQL::Test::Utils::run_log([ "$bin/pg_ctl", '--version' ]) or die 'the namespace cannot be entered';
	return;
}

# Where the programs of a node are, as PostgreSQL::Test::Cluster wants to know it.
sub installation { my ($self, $i) = @_; return "$self->{dir}/$i"; }

# These nodes hear only each other, and the others only each other: silently.
sub part
{
	my ($self, @nodes) = @_;
	$self->_run("ip link set port$_ master aside") foreach @nodes;
	return;
}

# A node has no network, and its kernel knows.
sub unplug
{
	my ($self, $i) = @_;
	$self->_run("ip link set port$i down");
	return;
}

sub heal
{
	my ($self) = @_;
	$self->_run("ip link set port$_ master main up") foreach 1 .. $self->{count};
	return;
}

sub stop
{
	my ($self) = @_;
	my $pid = delete $self->{pid} or return;
	close($self->{lines});
	waitpid($pid, 0);
	return;
}

1;
