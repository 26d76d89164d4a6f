# The worked example of docs/protocol.md, and the bytes that it shows.
use strict;
use warnings;
use Cwd qw(getcwd);
use Test::More;
use TopGun::Documents;

my $bindir = qx(pg_config --bindir);
chomp $bindir;
my $documents = TopGun::Documents->new(getcwd(), $bindir);

# The three nodes that it is about.
$documents->execute('README.md', 'Three nodes in sixty seconds')
  and $documents->execute('docs/protocol.md');
$documents->stop;
done_testing();
