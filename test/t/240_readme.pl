# README.md is true: its commands do what it shows.
use strict;
use warnings;
use Cwd qw(getcwd);
use Test::More;
use TopGun::Documents;

my $bindir = qx(pg_config --bindir);
chomp $bindir;
my $documents = TopGun::Documents->new(getcwd(), $bindir);

$documents->execute('README.md');
$documents->stop;
done_testing();
