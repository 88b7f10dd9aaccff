#include "broker/connection.h"

#include "base/codec.h"
#include "base/log.h"

namespace millrace::broker {
namespace {

constexpr std::size_t kUnsentBytesMax = 64 << 20;  // a client that does not read is not worked for
constexpr std::size_t kWriteBytesMax = 4 << 20;    // gathered into one write

bool is_fetch(const Slice& frame) {
  return frame.size() >= 2 && load_be<std::int16_t>(frame.data()) == static_cast<std::int16_t>(kafka::ApiKey::kFetch);
}

}  // namespace

Task<void> Admission::enter(std::size_t bytes) {
  if (budget_.must_wait(bytes)) metrics_.on_admission_wait();
  co_await budget_.enter(bytes);
  ++requests_;
}

void Admission::leave(std::size_t bytes) {
  --requests_;
  budget_.leave(bytes);
}

Connection::Connection(Services& services, TaskScope& scope, Admission& admission, BufferPool& buffers,
                       std::unique_ptr<net::Stream> stream)
    : services_(services),
      scope_(scope),
      admission_(admission),
      stream_(std::move(stream)),
      framer_(buffers, static_cast<std::size_t>(services.config.socket_request_max_bytes)),
      client_host_("/" + stream_->peer().host),
      active_at_(services.clock.now()) {}

Task<void> Connection::serve() {
  scope_.spawn(write_loop(shared_from_this()));
  const Result<void> ended = co_await read_requests();
  if (!ended && ended.error().code() == Code::kInvalid) {
    services_.metrics.on_close(BrokerMetrics::CloseReason::kBadFrame);
    LOG_INFO("broker.bad_frame", {"peer", peer().to_string()}, {"error", ended.error().message()});
  }
  reading_ = false;
  ready_.pulse();
  if (!finished_.is_set()) co_await finished_.wait();
}

Task<Result<void>> Connection::read_requests() {
  const auto self = shared_from_this();
  while (!draining_ && !broken_) {
    CO_TRY(auto frame, framer_.next());
    if (!frame) {
      // Memory for a large frame is taken before it is there.
      const std::size_t n_max = framer_.pending_frame_bytes();
      if (n_max > BufferPool::kSizes[BufferPool::kClasses - 1]) {
        co_await admission_.enter(n_max);
        admission_.leave(n_max);
      }
      const auto space = framer_.space();
      CO_TRY(const std::size_t n, co_await stream_->read_some(space));
      if (n == 0) {
        services_.metrics.on_close(BrokerMetrics::CloseReason::kPeer);
        co_return Result<void>();
      }
      framer_.received(n);
      services_.metrics.on_bytes_in(n);
      active_at_ = services_.clock.now();
      continue;
    }
    const bool fetch = is_fetch(*frame);
    co_await admit(frame->size(), fetch);
    if (broken_ || !reading_ || draining_) {
      admission_.leave(frame->size());
      break;
    }
    auto slot = std::make_shared<Slot>();
    slot->fetch = fetch;
    fetches_ += fetch ? 1 : 0;
    slots_.push_back(slot);
    scope_.spawn(work(self, std::move(slot), std::move(*frame)));
  }
  co_return Result<void>();
}

Task<void> Connection::admit(std::size_t bytes, bool fetch) {
  const auto full = [&] {
    return (fetch && fetches_ > 0) ||
           slots_.size() >= static_cast<std::size_t>(services_.config.connection_requests_max) ||
           unsent_bytes_ > kUnsentBytesMax;
  };
  while (full() && !broken_ && !draining_) co_await progress_.wait();
  co_await admission_.enter(bytes);
}

Task<void> Connection::work(std::shared_ptr<Connection> self, std::shared_ptr<Slot> slot, Slice frame) {
  const std::size_t bytes = frame.size();
  Reply reply = co_await answer(self->services_, std::move(frame), self->client_host_);
  self->admission_.leave(bytes);
  if (!reply) {
    self->services_.metrics.on_close(BrokerMetrics::CloseReason::kBadRequest);
    LOG_INFO("broker.bad_request", {"peer", self->peer().to_string()}, {"error", reply.error().message()});
    slot->closes = true;
    self->reading_ = false;
  } else if (*reply) {
    slot->response = kafka::with_length(std::move(**reply));
    self->unsent_bytes_ += slot->response->size();
  }
  slot->done = true;
  if (self->slots_.front() == slot) self->ready_.pulse();
}

SliceChain Connection::take_ready(std::size_t& count, std::size_t& fetches) {
  SliceChain out;
  count = 0;
  fetches = 0;
  while (!slots_.empty() && slots_.front()->done && out.size() < kWriteBytesMax) {
    const auto slot = std::move(slots_.front());
    slots_.pop_front();
    ++count;
    fetches += slot->fetch ? 1 : 0;
    if (slot->closes) {
      // What was asked after this one is not answered.
      draining_ = true;
      for (const auto& later : slots_) {
        if (later->response) unsent_bytes_ -= later->response->size();
        later->response.reset();
        later->closes = true;
      }
      break;
    }
    if (slot->response) out.append(std::move(*slot->response));
  }
  return out;
}

Task<void> Connection::write_loop(std::shared_ptr<Connection> self) {
  while (true) {
    std::size_t count = 0, fetches = 0;
    SliceChain out = self->take_ready(count, fetches);
    if (count == 0) {
      // All answered, and no more to come.
      if (self->slots_.empty() && (!self->reading_ || self->draining_)) break;
      co_await self->ready_.wait();
      continue;
    }
    if (!out.empty() && !self->broken_) {
      self->writing_ = true;
      const Result<void> written = co_await self->stream_->write(out);
      self->writing_ = false;
      self->unsent_bytes_ -= out.size();
      if (written) {
        self->services_.metrics.on_bytes_out(out.size());
        self->active_at_ = self->services_.clock.now();
      } else {
        self->broken_ = true;
      }
    } else {
      self->unsent_bytes_ -= out.size();
    }
    out = SliceChain();
    self->fetches_ -= fetches;
    self->progress_.pulse();
    if (self->broken_ && self->slots_.empty()) break;
  }
  self->abort();
  self->finished_.set();
}

void Connection::drain() {
  draining_ = true;
  ready_.pulse();
  progress_.pulse();
}

void Connection::abort() {
  broken_ = true;
  reading_ = false;
  stream_->close();
  ready_.pulse();
  progress_.pulse();
}

}  // namespace millrace::broker
