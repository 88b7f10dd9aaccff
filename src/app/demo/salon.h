// The demo's data: a salon-booking schema in Postgres, its first million rows, the transactions of its
// load generator, and the four views that the page shows. SQL only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/server.h"

namespace millrace::app {

// Ten tables, and a function demo.tick() that runs one transaction's worth of changes.
std::string_view salon_schema_sql();
// Fills the tables with about `rows` rows in all. One statement list; deterministic for a seed.
std::string salon_rows_sql(long rows);
inline constexpr std::string_view kSalonTickSql = "SELECT demo.tick()";

// Views on top of the captured tables, lowest layer first, in the MySQL dialect (and in Postgres': bench compares
// them). `schema`: the database that holds the tables.
struct SalonView {
  std::string name;
  std::string select;
};
std::vector<SalonView> salon_views(std::string_view schema);
// The four that the page shows, with what it asks of each.
std::vector<PageView> salon_page_views(std::string_view schema);

}  // namespace millrace::app
