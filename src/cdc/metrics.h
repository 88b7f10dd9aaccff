// What change capture counts, per connector. Thread-safe; registered once per connector.
#pragma once

#include "base/metrics.h"

namespace millrace::cdc {

struct CdcMetrics {
  CdcMetrics(Metrics& metrics, const std::string& connector)
      : rows(metrics.counter("millrace_cdc_rows_total", "Row events written to the log", {{"connector", connector}})),
        bytes(metrics.counter("millrace_cdc_bytes_total", "Bytes of keys and values written to the log",
                              {{"connector", connector}})),
        transactions(metrics.counter("millrace_cdc_transactions_total", "Source transactions captured",
                                     {{"connector", connector}})),
        replayed(metrics.counter("millrace_cdc_replayed_total",
                                 "Events found in the log after a restart and not written again",
                                 {{"connector", connector}})),
        errors(metrics.counter("millrace_cdc_errors_total", "Attempts that ended in an error",
                               {{"connector", connector}})),
        lag_bytes(metrics.gauge("millrace_cdc_lag_bytes", "WAL between the server's end and the stored position",
                                {{"connector", connector}})),
        bytes_in_flight(metrics.gauge("millrace_cdc_inflight_bytes", "Bytes sent to the log and not acknowledged yet",
                                      {{"connector", connector}})) {}
  Counter &rows, &bytes, &transactions, &replayed, &errors;
  Gauge &lag_bytes, &bytes_in_flight;
};

}  // namespace millrace::cdc
