#include "base/metrics.h"

#include <prometheus/text_serializer.h>

namespace millrace {

std::string Metrics::expose() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

}  // namespace millrace
