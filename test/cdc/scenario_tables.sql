-- What both capture programs find when they start: every type that needs no extension, and each key case.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN email AS text CHECK (value LIKE '%@%');
CREATE DOMAIN price AS numeric(8,2) NOT NULL DEFAULT 1.5;
CREATE TYPE pair AS (a int, b text);

CREATE TABLE numbers (
  id int PRIMARY KEY, b boolean, s smallint, i int NOT NULL, l bigint, r real, d double precision, o oid,
  n10_2 numeric(10,2), n5 numeric(5), n numeric, nneg numeric(5,-2), m money, b1 bit(1), b5 bit(5), b20 bit(20),
  vb varbit(12), vbu varbit);
CREATE TABLE texts (
  id bigint PRIMARY KEY, c1 char, c5 char(5), v varchar(20), vu varchar, t text, by bytea, j json, jb jsonb, u uuid, x xml,
  e mood, dm email, pr price, ts tsvector);
CREATE TABLE times (
  id smallint PRIMARY KEY, d date, t0 time(0), t3 time(3), t6 time, tz timetz, tz0 timetz(0), ts0 timestamp(0), ts3 timestamp(3),
  ts6 timestamp, ts5 timestamp(5), tstz timestamptz, tstz0 timestamptz(0), tstz3 timestamptz(3), iv interval);
CREATE TABLE shapes (
  id int PRIMARY KEY, inet inet, cidr cidr, mac macaddr, mac8 macaddr8, i4r int4range, i8r int8range, nr numrange,
  tsr tsrange, tstzr tstzrange, dr daterange, p point, bx box, ls lseg, pa path, po polygon, ci circle, ln line);
CREATE TABLE arrays (
  id int PRIMARY KEY, ab boolean[], as2 smallint[], ai int[], al bigint[], ar real[], ad double precision[], at text[],
  av varchar(5)[], ac char(3)[], an numeric(6,2)[], anu numeric[], ada date[], aj json[], ajb jsonb[], au uuid[],
  ats timestamp[], atstz timestamptz[], ati time[], atz timetz[], aby bytea[], ain inet[], ao oid[], ae mood[], ar4 int4range[], aii int[][]);
CREATE TABLE dropped (
  id int PRIMARY KEY, lsn pg_lsn, reg regclass, x8 xid8, jp jsonpath, tq tsquery, mr int4multirange, co pair, am money[],
  aiv interval[], kept text);
CREATE TABLE defaults (
  id serial PRIMARY KEY, t text DEFAULT 'it''s', tn text NOT NULL DEFAULT 'nn', i int DEFAULT 7, l bigint DEFAULT 1234567890123,
  b boolean DEFAULT true, n numeric(6,2) DEFAULT 3.5, nu numeric DEFAULT 2.25, d date DEFAULT '2020-02-03', f double precision DEFAULT 1.5,
  ts timestamp DEFAULT '2020-01-02 03:04:05.678', tsz timestamptz DEFAULT now(), tm time DEFAULT '04:05:06', u uuid DEFAULT gen_random_uuid(),
  up text DEFAULT upper('x'), e mood DEFAULT 'ok', j jsonb DEFAULT '{"a":1}', by bytea DEFAULT '\x01', ar int[] DEFAULT '{1}',
  c char(4) DEFAULT 'ab', v varchar(9) DEFAULT 'vv', bi bit(3) DEFAULT B'101', b1 bit(1) DEFAULT B'1', iv interval DEFAULT '1 day',
  inn inet DEFAULT '1.2.3.4', mo money DEFAULT 4, nn int NOT NULL);
CREATE TABLE keyless (a int, b text);
CREATE TABLE unique_key (a int NOT NULL, b text NOT NULL, c int, UNIQUE (b, a));
CREATE TABLE two_keys (v text, k2 int, k1 text, PRIMARY KEY (k1, k2));
CREATE TABLE full_identity (id int PRIMARY KEY, t text, big text);
ALTER TABLE full_identity REPLICA IDENTITY FULL;
CREATE TABLE keyless_full (a int, b text);
ALTER TABLE keyless_full REPLICA IDENTITY FULL;
CREATE TABLE not_nulls (id int PRIMARY KEY, t text NOT NULL, n numeric(5,1) NOT NULL, d date NOT NULL, b boolean NOT NULL, by bytea NOT NULL,
  a int[] NOT NULL, u uuid NOT NULL, tz timestamptz NOT NULL, j json NOT NULL, f real NOT NULL, e mood NOT NULL, iv interval NOT NULL, o text);
CREATE TABLE toasted (id int PRIMARY KEY, n int, t text, by bytea, ai int[], al bigint[], au uuid[], at text[], j jsonb, nu numeric);
ALTER TABLE toasted ALTER t SET STORAGE EXTERNAL, ALTER by SET STORAGE EXTERNAL, ALTER ai SET STORAGE EXTERNAL, ALTER al SET STORAGE EXTERNAL,
  ALTER au SET STORAGE EXTERNAL, ALTER at SET STORAGE EXTERNAL, ALTER j SET STORAGE EXTERNAL;
CREATE TABLE one_row (id int PRIMARY KEY, t text);
CREATE TABLE empty_table (id int PRIMARY KEY);
CREATE SCHEMA "odd schema";
CREATE TABLE "odd schema"."Odd table" ("Id" int PRIMARY KEY, "a b" text, "q""uote" text, "ünï" text);
CREATE TABLE not_captured (id int PRIMARY KEY);
CREATE TABLE index_identity (id int PRIMARY KEY, k int NOT NULL, t text);
CREATE UNIQUE INDEX index_identity_k ON index_identity (k);
ALTER TABLE index_identity REPLICA IDENTITY USING INDEX index_identity_k;
CREATE TABLE generated_col (id int PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a * 2) STORED);

INSERT INTO numbers VALUES
  (1, true, -32768, 2147483647, -9223372036854775808, 1.1, 0.1, 4294967295, -1234.5, 99999, 123.4560, 12300, -12.34, B'1', B'10110', B'10000000000000000001', B'101', B'1111000011'),
  (2, false, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, B'0', B'00000', 0::bit(20), B'', B''),
  (3, NULL, NULL, -1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, true, 1, 1, 1, 'NaN', 'Infinity', 1, 'NaN', 1, 'NaN', 0, '92233720368547758.07', B'1', B'00001', 1::bit(20), B'1', B'1'),
  (5, true, 1, 1, 1, '-Infinity', 1e300, 1, 12345678.91, -1, -0.00001, -98700, 1, B'1', B'00001', 1::bit(20), B'1', B'1'),
  (6, true, 1, 1, 1, 3.4e38, 5e-324, 1, 0.01, 128, 12345678901234567890123456789.5, -98700, 1, B'1', B'00001', 1::bit(20), B'1', B'1');
INSERT INTO texts VALUES
  (1, 'a', 'ab', 'vär', 'quote " back \ slash / tab' || chr(9) || ' nl' || chr(10) || chr(1), 'snow ☃ 😀', '\x00ff10', '{"a": [1, 2.50], "b":null}', '{"a": [1, 2.50], "b":null}',
   '76019d1a-ad2e-4b22-96e9-1a6d6543c818', '<a>b</a>', 'happy', 'x@y', 9.99, 'a fat cat'),
  (2, '', '', '', '', '', '', '1', '"s"', '00000000-0000-0000-0000-000000000000', '', 'sad', '@', 0, '');
INSERT INTO texts (id, pr) VALUES (3, DEFAULT);
INSERT INTO times VALUES
  (1, '2024-02-29', '12:34:56', '12:34:56.789', '12:34:56.789012', '12:34:56.789012+02', '01:02:03-05:30', '2024-02-29 12:34:56', '2024-02-29 12:34:56.789',
   '2024-02-29 12:34:56.789012', '2024-02-29 12:34:56.78901', '2024-02-29 12:34:56.789012+03', '2024-02-29 12:34:56-03', '2024-02-29 12:34:56.5+00', '1 year 2 mons 3 days 04:05:06.789'),
  (2, '1970-01-01', '00:00:00', '00:00:00', '24:00:00', '24:00:00+00', '00:00:00+00', '1970-01-01', '1969-12-31 23:59:59.999', '1900-01-01', '1970-01-01', '1970-01-01 00:00:00+00', '1900-01-01 00:00+00', '2100-06-06 06:06:06+06', '-1 mons +2 days -03:00:00'),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, '9999-12-31', '23:59:59', '23:59:59.999', '23:59:59.999999', '23:59:59+14', '23:59:59-12', '9999-12-31', '9999-12-31', '9999-12-31 23:59:59.999999', '2000-01-01', '9999-12-31 23:59:59.999999+00', '0001-01-01 00:00+00', '2001-01-01 00:00+00', '00:00:00');
-- Far times. Not here: infinite dates, and dates BC, which Debezium's snapshot writes as days AD (the stream has them).
INSERT INTO times (id, d) VALUES (5, '1500-02-28'), (6, '5874897-12-31');
INSERT INTO times (id, ts0, ts3, ts6, ts5) VALUES (10, 'infinity', 'infinity', 'infinity', 'infinity'), (11, '-infinity', '-infinity', '-infinity', '-infinity'),
  (12, '0044-03-15 12:00 BC', '0044-03-15 12:00:00.123 BC', '0044-03-15 12:00:00.123456 BC', '0001-12-31 23:59:59.5 BC'),
  (13, '1500-02-28', '1500-02-28', '1500-02-28 12:00:00.000001', '1582-10-10');
INSERT INTO times (id, tstz, tstz0, tstz3) VALUES (14, 'infinity', 'infinity', 'infinity'), (15, '-infinity', '-infinity', '-infinity'),
  (16, '0044-03-15 12:00:00.123456+00 BC', '0044-03-15 12:00:00+00 BC', '0001-12-31 23:59:59.5+00 BC'), (17, '1500-02-28 00:00+00', '1582-10-10 00:00+00', '20000-01-01 00:00+00');
INSERT INTO shapes VALUES
  (1, '192.168.1.5/24', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '[1,5)', '(,9]', '[1.5,2.5]', '[2020-01-01,2020-02-01)', '[2020-01-01 00:00+00,)', 'empty',
   '(1.5,-2)', '((1,2),(3,4))', '((0,0),(1,1))', '((0,0),(1,1),(2,0))', '((0,0),(1,1),(2,0))', '<(1,2),3>', '{1,2,3}'),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '[(0,0),(1,1)]', NULL, NULL, NULL);
INSERT INTO arrays VALUES
  (1, '{t,f,NULL}', '{1,-2}', '{1,NULL,3}', '{1,9223372036854775807}', '{1.5,NaN}', '{0.1,1e100}', '{"a b","c,d",NULL,"q\"uote","null",""}', '{ab,cde}', '{a,abc}',
   '{1.5,NULL,-2.25}', '{1.5,100}', '{2020-01-01,1969-12-31}', array['{"a":1}','2']::json[], array['{"a":1}','2']::jsonb[], '{76019d1a-ad2e-4b22-96e9-1a6d6543c818}',
   '{"2020-01-01 01:02:03.456789"}', '{"2020-01-01 01:02:03.456789+02"}', '{01:02:03.456789}', '{01:02:03.5+02}', array['\x01ff','\x']::bytea[], '{1.2.3.4,::1}', '{1,4294967295}', '{sad,ok}', '{"[1,5)",empty}', NULL),
  (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}');
INSERT INTO arrays (id) VALUES (3);
INSERT INTO dropped (id, lsn, reg, kept) VALUES (1, '0/1', 'pg_class', 'kept');
INSERT INTO defaults (nn) VALUES (1);
INSERT INTO defaults VALUES (2, NULL, 'x', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 2);
INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (NULL, NULL);
INSERT INTO unique_key VALUES (1, 'b', 3);
INSERT INTO two_keys VALUES ('v', 2, 'k');
INSERT INTO full_identity VALUES (1, 'one', repeat('x', 10)), (2, 'two', NULL);
INSERT INTO keyless_full VALUES (1, 'a'), (2, NULL);
INSERT INTO not_nulls VALUES (1, 't', 1.5, '2020-01-01', true, '\x01', '{1}', '76019d1a-ad2e-4b22-96e9-1a6d6543c818', '2020-01-01 00:00+00', '{}', 1.5, 'ok', '1 day', NULL);
INSERT INTO toasted SELECT 1, 1, repeat('t', 9000), decode(repeat('ab', 9000), 'hex'), array_agg(i), array_agg(i::bigint), array_agg(gen_random_uuid()), array_agg(i::text), '{"a":1}', 1 FROM generate_series(1, 3000) i;
INSERT INTO one_row VALUES (1, 'only');
INSERT INTO "odd schema"."Odd table" VALUES (1, 'x', 'y', 'z');
INSERT INTO index_identity VALUES (1, 10, 'a'), (2, 20, 'b');
INSERT INTO generated_col (id, a) VALUES (1, 4);
