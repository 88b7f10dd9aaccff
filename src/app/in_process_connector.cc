#include "app/in_process_connector.h"

#include <atomic>

namespace millrace::app {

struct InProcessConnector::Shared {
  Executor executor;
  broker::Broker* broker = nullptr;
  std::atomic<bool> closed{false};
};

namespace {

// A Door must be used and dropped on the broker's thread; this handle may be dropped anywhere.
class DoorHandle {
 public:
  DoorHandle(std::shared_ptr<InProcessConnector::Shared> shared, std::unique_ptr<broker::Door> door)
      : shared_(std::move(shared)), door_(std::move(door)) {}
  DoorHandle(DoorHandle&&) = default;
  ~DoorHandle() {
    if (door_) post_to(shared_->executor, [door = std::move(door_)] {});
  }
  broker::Door& get() { return *door_; }

 private:
  std::shared_ptr<InProcessConnector::Shared> shared_;
  std::unique_ptr<broker::Door> door_;
};

class InProcessChannel final : public client::Channel {
 public:
  InProcessChannel(std::shared_ptr<InProcessConnector::Shared> shared, std::shared_ptr<DoorHandle> door)
      : shared_(std::move(shared)), door_(std::move(door)) {}

  Task<Result<Slice>> call(SliceChain frame) override {
    if (shared_->closed) co_return fail(Code::kUnavailable, "the broker of this process is stopping");
    auto job = [door = door_, shared = shared_, bytes = std::move(frame)]() mutable -> Task<Result<Slice>> {
      if (shared->closed) co_return fail(Code::kUnavailable, "the broker of this process is stopping");
      co_return co_await door->get().call(std::move(bytes));
    };
    co_return co_await run_on(shared_->executor, std::move(job));
  }

 private:
  std::shared_ptr<InProcessConnector::Shared> shared_;
  std::shared_ptr<DoorHandle> door_;
};

}  // namespace

InProcessConnector::InProcessConnector(Executor broker_executor, broker::Broker& broker)
    : shared_(std::make_shared<Shared>()) {
  shared_->executor = std::move(broker_executor);
  shared_->broker = &broker;
}
InProcessConnector::~InProcessConnector() { close(); }

void InProcessConnector::close() { shared_->closed = true; }

Task<Result<std::unique_ptr<client::Channel>>> InProcessConnector::connect(std::string, std::uint16_t) {
  auto shared = shared_;
  auto open = [shared]() -> Task<std::shared_ptr<DoorHandle>> {
    if (shared->closed) co_return nullptr;
    auto door = shared->broker->open_door();
    co_return std::make_shared<DoorHandle>(shared, std::move(door));
  };
  auto door = co_await run_on(shared->executor, std::move(open));
  if (!door) co_return fail(Code::kUnavailable, "the broker of this process is stopping");
  co_return std::make_unique<InProcessChannel>(shared, std::move(door));
}

}  // namespace millrace::app
