#include "app/demo/salon.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::app {

namespace {

constexpr std::string_view kSchemaSql = R"SQL(
CREATE TABLE merchants (
  id int PRIMARY KEY, name text NOT NULL, category varchar(40) NOT NULL, country char(2) NOT NULL,
  created_at timestamptz NOT NULL, commission numeric(5,4) NOT NULL);
CREATE TABLE locations (
  id int PRIMARY KEY, merchant_id int NOT NULL REFERENCES merchants, name text NOT NULL, city text NOT NULL,
  time_zone text NOT NULL, opens_at time(0) NOT NULL, latitude double precision, longitude double precision);
CREATE TABLE employees (
  id int PRIMARY KEY, location_id int NOT NULL REFERENCES locations, name text NOT NULL, title text NOT NULL,
  hired_on date NOT NULL, active boolean NOT NULL);
CREATE TABLE services (
  id int PRIMARY KEY, merchant_id int NOT NULL REFERENCES merchants, name text NOT NULL, minutes smallint NOT NULL,
  price numeric(10,2) NOT NULL);
CREATE TABLE customers (
  id int PRIMARY KEY, name text NOT NULL, email text NOT NULL, phone text, joined_at timestamptz NOT NULL,
  preferences jsonb);
CREATE TABLE bookings (
  id bigint PRIMARY KEY, location_id int NOT NULL REFERENCES locations, customer_id int NOT NULL REFERENCES customers,
  status varchar(12) NOT NULL, starts_at timestamp NOT NULL, created_at timestamptz NOT NULL, note text);
CREATE TABLE booking_items (
  id bigint PRIMARY KEY, booking_id bigint NOT NULL REFERENCES bookings, service_id int NOT NULL REFERENCES services,
  employee_id int NOT NULL REFERENCES employees, price numeric(10,2) NOT NULL);
CREATE TABLE payments (
  id bigint PRIMARY KEY, booking_id bigint NOT NULL REFERENCES bookings, amount numeric(10,2) NOT NULL,
  method varchar(12) NOT NULL, paid_at timestamptz NOT NULL);
CREATE TABLE refunds (
  id bigint PRIMARY KEY, payment_id bigint NOT NULL REFERENCES payments, amount numeric(10,2) NOT NULL, reason text,
  refunded_at timestamptz NOT NULL);
CREATE TABLE reviews (
  id bigint PRIMARY KEY, booking_id bigint NOT NULL REFERENCES bookings, employee_id int NOT NULL REFERENCES employees,
  stars smallint NOT NULL, body text, written_at timestamptz NOT NULL);
CREATE INDEX ON booking_items (booking_id);
CREATE INDEX ON payments (booking_id);
CREATE INDEX ON refunds (payment_id);
CREATE INDEX ON reviews (booking_id);

CREATE SCHEMA demo;
CREATE SEQUENCE demo.ids START 100000000;
CREATE TABLE demo.sizes (customers int, locations int, services int, employees int, bookings bigint);

-- One change of the salon's day: mostly new bookings and payments, some updates, some deletes.
CREATE FUNCTION demo.tick() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  kind double precision := random();
  sizes demo.sizes;
  picked bigint;
  booking bigint;
  item_price numeric(10,2);
BEGIN
  SELECT * INTO sizes FROM demo.sizes;
  IF kind < 0.45 THEN
    booking := nextval('demo.ids');
    INSERT INTO bookings VALUES (booking, 1 + floor(random() * sizes.locations), 1 + floor(random() * sizes.customers),
      'booked', date_trunc('minute', now()::timestamp) + random() * interval '20 days', now(), NULL);
    INSERT INTO booking_items SELECT nextval('demo.ids'), booking, s.id, 1 + floor(random() * sizes.employees), s.price
      FROM services s WHERE s.id IN (1 + floor(random() * sizes.services), 1 + floor(random() * sizes.services));
    RETURN 'booked';
  END IF;
  picked := 1 + floor(random() * sizes.bookings);
  IF kind < 0.70 THEN
    SELECT sum(price) INTO item_price FROM booking_items WHERE booking_id = picked;
    INSERT INTO payments SELECT nextval('demo.ids'), id, coalesce(item_price, 20.00),
      (ARRAY['card','cash','voucher'])[1 + floor(random() * 3)], now() FROM bookings WHERE id = picked;
    UPDATE bookings SET status = 'completed' WHERE id = picked;
    RETURN 'paid';
  ELSIF kind < 0.80 THEN
    UPDATE bookings SET starts_at = starts_at + interval '1 hour', note = 'moved' WHERE id = picked;
    RETURN 'moved';
  ELSIF kind < 0.88 THEN
    UPDATE customers SET preferences = jsonb_build_object('chair', floor(random() * 9), 'tea', random() < 0.5)
      WHERE id = 1 + floor(random() * sizes.customers);
    RETURN 'preferred';
  ELSIF kind < 0.93 THEN
    INSERT INTO reviews SELECT nextval('demo.ids'), booking_id, employee_id, 1 + floor(random() * 5), 'seen live', now()
      FROM booking_items WHERE booking_id = picked LIMIT 1;
    RETURN 'reviewed';
  ELSIF kind < 0.96 THEN
    INSERT INTO refunds SELECT nextval('demo.ids'), id, round(amount / 2, 2), 'not happy', now()
      FROM payments WHERE booking_id = picked LIMIT 1;
    RETURN 'refunded';
  ELSE
    DELETE FROM reviews WHERE booking_id = picked;
    DELETE FROM booking_items WHERE booking_id = picked AND id IN
      (SELECT max(id) FROM booking_items WHERE booking_id = picked HAVING count(*) > 1);
    UPDATE bookings SET status = 'cancelled' WHERE id = picked AND status = 'booked';
    RETURN 'cancelled';
  END IF;
END $$;
)SQL";

}  // namespace

std::string_view salon_schema_sql() { return kSchemaSql; }

std::string salon_rows_sql(long rows) {
  // Shares of the whole, by table; the dimensions are small and fixed beyond a minimum.
  const auto share = [&](double part, long lowest) { return std::max(lowest, static_cast<long>(rows * part)); };
  const long merchants = share(0.0002, 20), locations = share(0.0006, 40), employees = share(0.003, 100);
  const long services = share(0.004, 100), customers = share(0.12, 500), bookings = share(0.28, 1000);
  const long items = share(0.34, 1200), payments = share(0.18, 600), refunds = share(0.01, 30),
             reviews = share(0.07, 200);
  return fmt::format(R"SQL(
-- The rows are right by construction; checking each reference would take three times as long.
SET session_replication_role = replica;
SELECT setseed(0.42);
INSERT INTO merchants SELECT i, 'Merchant ' || i, (ARRAY['hair','nails','spa','barber','brows'])[1 + i % 5],
  (ARRAY['LT','DE','PL','FR','ES'])[1 + i % 5], timestamptz '2020-01-01 00:00:00Z' + i * interval '3 hours', 0.02 + (i % 7) * 0.005
  FROM generate_series(1, {merchants}) i;
INSERT INTO locations SELECT i, 1 + i % {merchants}, 'Salon ' || i, (ARRAY['Vilnius','Berlin','Warsaw','Paris','Madrid'])[1 + i % 5],
  'Europe/Vilnius', time '08:00' + (i % 4) * interval '30 minutes', 45 + random() * 10, 5 + random() * 20
  FROM generate_series(1, {locations}) i;
INSERT INTO employees SELECT i, 1 + i % {locations}, 'Employee ' || i, (ARRAY['stylist','senior','manager'])[1 + i % 3],
  date '2015-01-01' + i % 3000, i % 17 <> 0 FROM generate_series(1, {employees}) i;
INSERT INTO services SELECT i, 1 + i % {merchants}, 'Service ' || i, 15 + (i % 8) * 15, 10 + (i % 90) + 0.50
  FROM generate_series(1, {services}) i;
INSERT INTO customers SELECT i, 'Customer ' || i, 'customer' || i || '@example.com', CASE WHEN i % 3 = 0 THEN '+370600' || i END,
  timestamptz '2021-01-01 00:00:00Z' + i * interval '7 minutes', CASE WHEN i % 2 = 0 THEN jsonb_build_object('chair', i % 9) END
  FROM generate_series(1, {customers}) i;
INSERT INTO bookings SELECT i, 1 + (i * 7919) % {locations}, 1 + (i * 104729) % {customers},
  CASE WHEN i % 20 = 0 THEN 'cancelled' WHEN i % 3 = 0 THEN 'booked' ELSE 'completed' END,
  date_trunc('minute', now()::timestamp) - interval '90 days' + (i % 110) * interval '1 day' + (i % 600) * interval '1 minute',
  now() - interval '91 days' + (i % 110) * interval '1 day', CASE WHEN i % 11 = 0 THEN 'first visit' END
  FROM generate_series(1, {bookings}::bigint) i;
INSERT INTO booking_items SELECT i, 1 + i % {bookings}, 1 + (i * 31) % {services}, 1 + (i * 17) % {employees}, 10 + (i % 90) + 0.50
  FROM generate_series(1, {items}) i;
INSERT INTO payments SELECT i, 1 + (i * 3) % {bookings}, 10 + (i % 150) + 0.25, (ARRAY['card','cash','voucher'])[1 + i % 3],
  now() - interval '90 days' + (i % 90) * interval '1 day' + (i % 1440) * interval '1 minute'
  FROM generate_series(1, {payments}) i;
INSERT INTO refunds SELECT i, 1 + (i * 13) % {payments}, 5 + i % 20, (ARRAY['late','not happy',NULL])[1 + i % 3],
  now() - (i % 90) * interval '1 day' FROM generate_series(1, {refunds}) i;
INSERT INTO reviews SELECT i, 1 + (i * 5) % {bookings}, 1 + (i * 17) % {employees}, 1 + (i * 7) % 5, 'text of review ' || i,
  now() - (i % 90) * interval '1 day' FROM generate_series(1, {reviews}) i;
INSERT INTO demo.sizes VALUES ({customers}, {locations}, {services}, {employees}, {bookings});
SET session_replication_role = DEFAULT;
ANALYZE;
)SQL",
                     fmt::arg("merchants", merchants), fmt::arg("locations", locations),
                     fmt::arg("employees", employees), fmt::arg("services", services), fmt::arg("customers", customers),
                     fmt::arg("bookings", bookings), fmt::arg("items", items), fmt::arg("payments", payments),
                     fmt::arg("refunds", refunds), fmt::arg("reviews", reviews));
}

std::vector<SalonView> salon_views(std::string_view schema) {
  std::vector<SalonView> views;
  const auto add = [&](std::string name, std::string_view select) {
    views.push_back({std::move(name), fmt::format(fmt::runtime(select), fmt::arg("s", schema))});
  };
  // Layer 1: facts with their dimensions.
  add("item_detail", R"(SELECT i.id, i.booking_id, i.price, v.name AS service, v.minutes, e.id AS employee_id,
    e.name AS employee, h.city AS home_city FROM {s}.booking_items i JOIN {s}.services v ON v.id = i.service_id
    JOIN {s}.employees e ON e.id = i.employee_id JOIN {s}.locations h ON h.id = e.location_id)");
  add("place",
      R"(SELECT l.id, l.name AS location, l.city, m.id AS merchant_id, m.name AS merchant, m.category, m.country,
    m.commission FROM {s}.locations l JOIN {s}.merchants m ON m.id = l.merchant_id)");
  add("refund_total",
      R"(SELECT r.payment_id, sum(r.amount) AS refunded, count(*) AS refunds FROM {s}.refunds r GROUP BY r.payment_id)");
  add("review_total",
      R"(SELECT w.employee_id, avg(w.stars) AS stars, count(*) AS reviews FROM {s}.reviews w GROUP BY w.employee_id)");
  // Layer 2.
  add("booking_total", R"(SELECT d.booking_id, count(*) AS items, sum(d.price) AS total, sum(d.minutes) AS minutes,
    max(d.service) AS service, max(d.employee_id) AS employee_id FROM {s}.item_detail d GROUP BY d.booking_id)");
  add("booking_detail",
      R"(SELECT b.id, b.status, b.starts_at, b.created_at, c.id AS customer_id, c.name AS customer, p.location, p.city,
    p.merchant_id, p.merchant, p.category, p.country, p.commission, b.location_id FROM {s}.bookings b
    JOIN {s}.customers c ON c.id = b.customer_id JOIN {s}.place p ON p.id = b.location_id)");
  add("payment_net",
      R"(SELECT y.id, y.booking_id, y.amount, y.method, y.paid_at, y.amount - coalesce(t.refunded, 0) AS net,
    coalesce(t.refunds, 0) AS refunds FROM {s}.payments y LEFT JOIN {s}.refund_total t ON t.payment_id = y.id)");
  // Layer 3.
  add("location_revenue", R"(SELECT d.location_id, sum(n.net) AS location_net FROM {s}.payment_net n
    JOIN {s}.booking_detail d ON d.id = n.booking_id GROUP BY d.location_id)");
  add("employee_card",
      R"(SELECT e.id, e.name AS employee, e.title, p.location, p.merchant, coalesce(t.stars, 0) AS stars,
    coalesce(t.reviews, 0) AS reviews FROM {s}.employees e JOIN {s}.place p ON p.id = e.location_id
    LEFT JOIN {s}.review_total t ON t.employee_id = e.id)");
  // Layer 4: what people look at.
  add("revenue_by_day",
      R"(SELECT cast(n.paid_at AS date) AS day, d.country, count(*) AS payments, sum(n.net) AS revenue,
    sum(n.net * d.commission) AS commission FROM {s}.payment_net n JOIN {s}.booking_detail d ON d.id = n.booking_id
    GROUP BY cast(n.paid_at AS date), d.country)");
  add("upcoming_bookings",
      R"(SELECT d.id, d.starts_at, d.customer, d.merchant, d.location, d.city, t.service, t.items, t.total
    FROM {s}.booking_detail d JOIN {s}.booking_total t ON t.booking_id = d.id WHERE d.status = 'booked')");
  add("staff_ranking",
      R"(SELECT k.id, k.employee, k.title, k.merchant, k.location, k.stars, k.reviews, s.items, s.earned
    FROM {s}.employee_card k JOIN (SELECT d.employee_id, count(*) AS items, sum(d.price) AS earned FROM {s}.item_detail d
    GROUP BY d.employee_id) s ON s.employee_id = k.id)");
  // Twenty tables deep: payments and refunds (2), booking_detail (4), booking_total (4), employee_card (4),
  // location_revenue (6).
  add("payment_log",
      R"(SELECT n.id, n.paid_at, n.method, n.amount, n.net, n.refunds, d.customer, d.merchant, d.location, d.city,
    t.service, t.items, k.employee, k.stars, r.location_net FROM {s}.payment_net n
    JOIN {s}.booking_detail d ON d.id = n.booking_id LEFT JOIN {s}.booking_total t ON t.booking_id = n.booking_id
    LEFT JOIN {s}.employee_card k ON k.id = t.employee_id LEFT JOIN {s}.location_revenue r ON r.location_id = d.location_id)");
  return views;
}

std::vector<PageView> salon_page_views(std::string_view schema) {
  const auto with = [&](std::string_view text) { return fmt::format(fmt::runtime(text), fmt::arg("s", schema)); };
  return {
      {"revenue_by_day", "Revenue by day",
       with("SELECT day, sum(payments) AS payments, round(sum(revenue), 2) AS revenue, round(sum(commission), 2) AS "
            "commission "
            "FROM {s}.revenue_by_day GROUP BY day ORDER BY day DESC LIMIT 10")},
      {"upcoming_bookings", "Upcoming bookings",
       with("SELECT starts_at, customer, merchant, city, service, total FROM {s}.upcoming_bookings "
            "WHERE starts_at > now() ORDER BY starts_at, id LIMIT 10")},
      {"staff_ranking", "Staff ranking",
       with("SELECT employee, merchant, round(stars, 2) AS stars, reviews, items, earned FROM {s}.staff_ranking "
            "ORDER BY earned DESC, id LIMIT 10")},
      {"payment_log", "Payment log",
       with("SELECT paid_at, customer, merchant, service, employee, amount, net, location_net FROM {s}.payment_log "
            "ORDER BY paid_at DESC, id DESC LIMIT 10")},
  };
}

}  // namespace millrace::app
