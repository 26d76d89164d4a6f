# A shop of eleven tables with foreign keys, accents, money and times: loaded
# on one node, edited on both at once.
use strict;
use warnings;
use Test::More;
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(2);

$cluster->on_all(<<'END');
CREATE TYPE mood AS ENUM ('dur', 'moll');
CREATE DOMAIN price AS numeric(10, 2) CHECK (VALUE >= 0);
CREATE TABLE country (code char(2) PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE person (id int PRIMARY KEY, first text, last text NOT NULL, reports_to int REFERENCES person,
	hired timestamp, born date, phone varchar(24));
CREATE TABLE client (id int PRIMARY KEY, name text NOT NULL, city text, country char(2) REFERENCES country,
	served_by int REFERENCES person, email text, tags text[], profile jsonb);
CREATE TABLE composer (id int PRIMARY KEY, name text);
CREATE TABLE record (id int PRIMARY KEY, title text NOT NULL, composer_id int NOT NULL REFERENCES composer);
CREATE TABLE format (id smallint PRIMARY KEY, name text);
CREATE TABLE style (id smallint PRIMARY KEY, name text, key mood);
CREATE TABLE piece (id int PRIMARY KEY, name text NOT NULL, record_id int REFERENCES record,
	format_id smallint NOT NULL REFERENCES format, style_id smallint REFERENCES style,
	length interval, bytes bigint, price price NOT NULL, sample bytea);
CREATE TABLE invoice (id int PRIMARY KEY, client_id int NOT NULL REFERENCES client,
	at timestamptz NOT NULL, total numeric NOT NULL, rate float8);
CREATE TABLE invoice_line (invoice_id int REFERENCES invoice ON DELETE CASCADE, line int,
	piece_id int NOT NULL REFERENCES piece, price price, quantity int,
	amount numeric GENERATED ALWAYS AS (price * quantity) STORED, PRIMARY KEY (invoice_id, line));
CREATE TABLE playlist (name text, piece_id int REFERENCES piece, PRIMARY KEY (name, piece_id));
CREATE INDEX ON piece (name);
CREATE INDEX ON client (country);
END
my @tables = qw(country person client composer record format style piece invoice invoice_line playlist);
$cluster->add_table($_) foreach @tables;

$cluster->sql(1, <<'END');
INSERT INTO country VALUES ('CZ', 'Česko'), ('BR', 'Brasil'), ('DE', 'Österreich?'), ('JP', '日本'), ('SE', 'Sverige');
INSERT INTO person SELECT i, (ARRAY['Zoë', 'Jürgen', 'Łukasz', 'Ana', 'Ñuño'])[1 + i % 5], 'O''Connor ' || i,
	nullif(i / 4, 0), timestamp '2002-08-14 00:00' + i * interval '17 days 3 hours', date '1962-02-18' + i * 100,
	'+46 (08) ' || i FROM generate_series(1, 20) i;
INSERT INTO client SELECT i, 'Kund ' || i || ' – “Åre”', NULLIF('São Paulo', repeat('x', i)),
	(ARRAY['CZ', 'BR', 'DE', 'JP', 'SE'])[1 + i % 5], 1 + i % 20, 'k' || i || '@example.org',
	ARRAY['a"b', NULL, 'ü,' || i], jsonb_build_object('n', i, 'deep', jsonb_build_array(1.10, NULL, 'x'))
	FROM generate_series(1, 300) i;
INSERT INTO composer SELECT i, 'Dvořák & Søn №' || i FROM generate_series(1, 60) i;
INSERT INTO record SELECT i, 'Opus ' || i || E'\twith\ttabs\n', 1 + i % 60 FROM generate_series(1, 200) i;
INSERT INTO format VALUES (1, 'vinyl'), (2, 'band'), (3, '');
INSERT INTO style VALUES (1, 'Élégie', 'moll'), (2, 'Forró', 'dur'), (3, NULL, NULL);
INSERT INTO piece SELECT i, 'Sats ' || i, 1 + i % 200, 1 + i % 3, nullif(i % 4, 0),
	make_interval(secs => i * 1.5), i * 1000003::bigint, (i % 500) / 100.0, decode(md5(i::text), 'hex')
	FROM generate_series(1, 3000) i;
INSERT INTO invoice SELECT i, 1 + i % 300, timestamptz '2025-01-01 00:00:00+05:30' + i * interval '1 hour 1 microsecond',
	i * 1.980, 1 / (i + 2.0::float8) FROM generate_series(1, 400) i;
INSERT INTO invoice_line SELECT 1 + i % 400, i / 400, 1 + i * 7 % 3000, (i % 300) / 100.0, 1 + i % 3
	FROM generate_series(0, 2199) i;
INSERT INTO playlist SELECT CASE i % 3 WHEN 0 THEN 'Música' WHEN 1 THEN 'musica' ELSE '90’s' END, i
	FROM generate_series(1, 3000, 2) i;
END
ok($cluster->wait_for_sync, 'the shop is on both');
$cluster->assert_converged;
is($cluster->sql(2, "SELECT count(*) FROM $_"), $cluster->sql(1, "SELECT count(*) FROM $_"), "rows of $_")
  foreach @tables;
is($cluster->sql(2, 'SELECT sum(amount) FROM invoice_line'), $cluster->sql(1, 'SELECT sum(amount) FROM invoice_line'),
	'generated columns are made where the row arrives');

# Both edit the same rows at once.
$cluster->sql(1, <<'END');
CREATE PROCEDURE trade_once(who int, i int) LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO invoice VALUES (1000 * who + i, 1 + i, now(), i * 0.99, random());
	INSERT INTO invoice_line SELECT 1000 * who + i, n, 1 + (random() * 2999)::int, 0.99, n FROM generate_series(1, 3) n;
	UPDATE piece SET price = price + 0.01, name = name || who WHERE id BETWEEN i * 10 AND i * 10 + 5;
	UPDATE client SET tags = tags || ARRAY[who::text], profile = profile || jsonb_build_object('by', who)
		WHERE id = 1 + i * 3 % 300;
	UPDATE playlist SET name = 'moved by ' || who WHERE piece_id = i * 2 + 1;
	DELETE FROM invoice WHERE id = 2 * i + who % 2;
END $$;

-- As any program, it tries again after a deadlock.
CREATE PROCEDURE trade(who int) LANGUAGE plpgsql AS $$
DECLARE
	done boolean;
BEGIN
	FOR i IN 1..150 LOOP
		done := false;
		WHILE NOT done LOOP
			BEGIN
				CALL trade_once(who, i);
				done := true;
			EXCEPTION WHEN deadlock_detected THEN
				NULL;
			END;
			COMMIT;
		END LOOP;
	END LOOP;
END $$;
END
$cluster->sql(2, $cluster->sql(1, "SELECT pg_get_functiondef('$_'::regproc)")) foreach 'trade_once', 'trade';
my @traders = map {
	IPC::Run::start([ 'psql', '-XAtq', '-d', $cluster->node($_)->connstr('postgres'), '-c', "CALL trade($_)" ])
} 1, 2;
ok(IPC::Run::finish($_), 'a trader has no error') foreach @traders;
ok($cluster->wait_for_sync, 'all edits have arrived');
$cluster->assert_converged;
is($cluster->sql($_, 'SELECT count(*) FROM invoice WHERE id > 1000'), '300', "node $_: the invoices of both")
  foreach 1, 2;
is($cluster->sql($_, 'SELECT count(*) FROM invoice_line l LEFT JOIN invoice i ON i.id = l.invoice_id WHERE i.id IS NULL'),
	'0', "node $_: no line without its invoice") foreach 1, 2;

$cluster->stop;
done_testing();
