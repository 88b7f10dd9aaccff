// The bodies of Codec<M>: only for the codec_*.cc files that instantiate them, as they are slow to compile.
#pragma once

#include <fmt/format.h>

#include "kafka/codec.h"
#include "kafka/decoder.h"
#include "kafka/encoder.h"
#include "kafka/walker.h"

namespace millrace::kafka {

inline std::unexpected<Error> unsupported_version(const MessageInfo& info, std::int16_t version) {
  return fail(Code::kUnsupported,
              fmt::format("{} has versions {} to {}, not {}", info.name, info.min_version, info.max_version, version));
}

template <class M>
Result<M> Codec<M>::decode(const Slice& body, std::int16_t version) {
  if (!M::kInfo.supports(version)) return unsupported_version(M::kInfo, version);
  M message;
  Decoder decoder(body, version, M::kInfo.flexible(version));
  decoder.structure(message);
  decoder.finish();
  if (!decoder.ok()) return fail(decoder.error().with(fmt::format("{} version {}", M::kInfo.name, version)));
  return message;
}

template <class M>
Result<SliceChain> Codec<M>::encode(std::string prefix, const M& message, std::int16_t version) {
  if (!M::kInfo.supports(version)) return unsupported_version(M::kInfo, version);
  Encoder encoder(std::move(prefix), version, M::kInfo.flexible(version));
  encoder.structure(message);
  if (!encoder.ok()) return fail(encoder.error().with(M::kInfo.name));
  return encoder.take();
}

template <class M>
void Codec<M>::walk(Walk& walk, M& message) {
  Walker(walk).structure(message);
}

}  // namespace millrace::kafka
