#include "app/peer_link.h"

#include "base/codec.h"
#include "broker/api.h"

namespace millrace::app {

// Idle connections by address, and what makes new ones.
struct PeerLink::Shared {
  std::unique_ptr<client::Connector> connector;
  std::map<std::string, std::vector<std::unique_ptr<client::Channel>>> idle;
  bool closed = false;
};

struct PeerLink::Call {
  std::string host;
  std::uint16_t port = 0;
  Slice request;
  std::unique_ptr<client::Channel> channel;
  bool sent = false;
  bool given_up = false;
  Event done;
  Result<Slice> answer = fail(Code::kUnavailable, "not asked");
};

PeerLink::PeerLink(Executor executor, Clock& clock)
    : executor_(executor), clock_(clock), shared_(std::make_shared<Shared>()) {
  shared_->connector = client::make_tcp_connector(executor);
}

PeerLink::~PeerLink() {
  shared_->closed = true;
  shared_->idle.clear();
}

Task<void> PeerLink::run(std::shared_ptr<Shared> shared, std::shared_ptr<Call> call) {
  const std::string address = call->host + ":" + std::to_string(call->port);
  auto& idle = shared->idle[address];
  if (!idle.empty()) {
    call->channel = std::move(idle.back());
    idle.pop_back();
  } else {
    auto connected = co_await shared->connector->connect(call->host, call->port);
    if (!connected) {
      call->answer = fail(Code::kUnavailable, connected.error().message());
      call->done.set();
      co_return;
    }
    call->channel = std::move(*connected);
  }
  if (call->given_up) co_return;
  std::string head;
  ByteWriter out(head);
  out.be(broker::kPeerApiKey);
  out.be<std::int16_t>(0);
  out.be<std::int32_t>(0);
  SliceChain frame;
  frame.append(Slice::of(std::move(head)));
  frame.append(call->request);
  call->sent = true;
  Result<Slice> reply = co_await call->channel->call(std::move(frame));
  if (call->given_up) co_return;
  if (!reply) {
    call->answer = fail(Code::kTimeout, reply.error().message());
  } else if (reply->size() < 4) {
    call->answer = fail(Code::kTimeout, address + " answered too little");
  } else {
    call->answer = reply->sub(4);
    if (!shared->closed) shared->idle[address].push_back(std::move(call->channel));
  }
  call->done.set();
}

Task<Result<Slice>> PeerLink::call(std::string host, std::uint16_t port, Slice request, SteadyTime deadline) {
  auto asked = std::make_shared<Call>();
  asked->host = std::move(host);
  asked->port = port;
  asked->request = std::move(request);
  spawn_on(executor_, run(shared_, asked));
  const bool in_time = co_await asked->done.wait_until(clock_, deadline);
  if (in_time) co_return std::move(asked->answer);
  asked->given_up = true;
  if (asked->channel) asked->channel->close();
  const Code code = asked->sent ? Code::kTimeout : Code::kUnavailable;
  co_return fail(code, asked->host + ":" + std::to_string(port) + " did not answer in time");
}

}  // namespace millrace::app
