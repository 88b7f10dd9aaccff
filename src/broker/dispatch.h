// From a request frame to a response frame: finds the API's row, decodes, calls its handler, encodes.
//
// `answer` runs its synchronous part (decoding, offset assignment) at once when it is first awaited, so requests
// that are started in arrival order take effect in arrival order, however long their answers take.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/task.h"
#include "broker/services.h"
#include "kafka/codec.h"

namespace millrace::broker {

// The response frame without its length; nothing for Produce with acks=0. An error closes the connection:
// unknown key, unsupported version, undecodable body (Kafka closes too, and says why only in its log).
using Reply = Result<std::optional<SliceChain>>;

Task<Reply> answer(Services& services, Slice frame, std::string client_host);

// ApiVersions' list: what has a handler, with the versions of kafka/apis.h.
bool has_handler(kafka::ApiKey key);

}  // namespace millrace::broker
