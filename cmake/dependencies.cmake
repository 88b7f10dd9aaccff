# Every third-party library, why it is here, and its pin. Debian 12 packages unless said.

# Boost.Asio/Beast: async I/O, coroutines, HTTP; the field's standard. 1.81, not Debian's default 1.74.
find_package(Boost 1.81 EXACT REQUIRED)
add_library(millrace_asio INTERFACE)
target_link_libraries(millrace_asio INTERFACE Boost::headers)
target_compile_definitions(millrace_asio INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_VISIBILITY BOOST_ERROR_CODE_HEADER_ONLY)

find_package(Threads REQUIRED)
# OpenSSL 3: hashes for the MySQL handshake, TLS.
find_package(OpenSSL REQUIRED)
# fmt/spdlog: formatting and the stderr sink.
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
# prometheus-cpp: metric types and the exposition format.
find_package(prometheus-cpp CONFIG REQUIRED)
# CLI11: command line; yaml-cpp: the configuration file.
find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)

find_package(ZLIB REQUIRED)
function(plain_library target header library)
  find_path(${target}_INCLUDE ${header} REQUIRED)
  find_library(${target}_LIBRARY ${library} REQUIRED)
  string(REGEX REPLACE "_.*" "" ns ${target})
  add_library(${ns}::${ns} UNKNOWN IMPORTED GLOBAL)
  set_target_properties(${ns}::${ns} PROPERTIES
    IMPORTED_LOCATION ${${target}_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${${target}_INCLUDE})
endfunction()
# The four codecs of Kafka record batches.
plain_library(zstd_ zstd.h zstd)
plain_library(lz4_ lz4frame.h lz4)
plain_library(snappy_ snappy.h snappy)
# simdjson: the fastest JSON reader packaged; rapidjson (header only): the writer.
plain_library(simdjson_ simdjson.h simdjson)

# libpq: replication (CopyBoth), SCRAM and TLS of Postgres, asynchronously.
find_library(LIBPQ_LIBRARY pq REQUIRED)
find_path(LIBPQ_INCLUDE libpq-fe.h PATHS /usr/include/postgresql REQUIRED)
add_library(libpq::libpq UNKNOWN IMPORTED GLOBAL)
set_target_properties(libpq::libpq PROPERTIES
  IMPORTED_LOCATION ${LIBPQ_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${LIBPQ_INCLUDE})

# DuckDB 1.5.6 (C API): the SQL engine. tools/setup puts it into .deps/duckdb from the npm package
# that ships libduckdb.so; -DDUCKDB_ROOT=... uses a system one.
set(DUCKDB_ROOT ${CMAKE_SOURCE_DIR}/.deps/duckdb CACHE PATH "where duckdb.h and libduckdb.so are")
find_library(DUCKDB_LIBRARY duckdb HINTS ${DUCKDB_ROOT} REQUIRED)
find_path(DUCKDB_INCLUDE duckdb.h HINTS ${DUCKDB_ROOT} REQUIRED)
add_library(duckdb::duckdb SHARED IMPORTED GLOBAL)
set_target_properties(duckdb::duckdb PROPERTIES IMPORTED_NO_SONAME ON
  IMPORTED_LOCATION ${DUCKDB_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${DUCKDB_INCLUDE})

if(MILLRACE_TESTS)
  find_package(GTest REQUIRED)
endif()
