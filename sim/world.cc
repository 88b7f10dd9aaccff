#include "sim/world.h"

#include <algorithm>

namespace millrace::sim {
namespace {

constexpr std::int64_t kWallBegin = 1'750'000'000'000'000;  // microseconds; some day in 2025

// Where killed places and their timers rest, undestroyed, until the process ends.
template <class T>
void bury(T thing) {
  static auto* graveyard = new std::vector<T>();
  graveyard->push_back(std::move(thing));
}

}  // namespace

SteadyTime SimClock::now() const { return world_.now_; }

std::int64_t SimClock::wall_us() const {
  return kWallBegin +
         std::chrono::duration_cast<std::chrono::microseconds>(world_.now_.time_since_epoch() + skew).count();
}

Clock::TimerId SimClock::call_at(SteadyTime when, std::move_only_function<void()> action) {
  const TimerId id = ++world_.last_timer_;
  when = std::max(when, world_.now_);
  world_.timers_.emplace(std::pair(when, id), World::Timer{this, std::move(action)});
  world_.timer_times_.emplace(id, when);
  return id;
}

bool SimClock::cancel(TimerId id) {
  const auto when = world_.timer_times_.find(id);
  if (when == world_.timer_times_.end()) return false;
  world_.timers_.erase({when->second, id});
  world_.timer_times_.erase(when);
  return true;
}

void World::add_place(std::shared_ptr<Place>& place) {
  place = std::make_shared<Place>(*this);
  places_.push_back(place);
}

std::shared_ptr<Place> World::new_place() {
  std::shared_ptr<Place> place;
  add_place(place);
  return place;
}

void World::kill(Place& place) {
  trace("kill");
  place.clock.dead = true;
  for (auto at = timers_.begin(); at != timers_.end();) {
    if (at->second.owner != &place.clock) {
      ++at;
      continue;
    }
    timer_times_.erase(at->first.second);
    bury(std::move(at->second.action));
    at = timers_.erase(at);
  }
  const auto at = std::find_if(places_.begin(), places_.end(), [&](const auto& p) { return p.get() == &place; });
  CHECK(at != places_.end() && *at != main_);
  bury(*at);
  places_.erase(at);
}

bool World::run_one() {
  const std::size_t first = random_->below(places_.size());
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const auto place = places_[(first + i) % places_.size()];
    if (place->handlers >= place->die_at) {
      kill(*place);
      return true;
    }
    if (place->context.poll_one() > 0) {
      ++place->handlers;
      return true;
    }
  }
  return false;
}

bool World::advance(SteadyTime limit) {
  if (timers_.empty() || timers_.begin()->first.first > limit) return false;
  now_ = timers_.begin()->first.first;
  auto action = std::move(timers_.begin()->second.action);
  timer_times_.erase(timers_.begin()->first.second);
  timers_.erase(timers_.begin());
  action();
  return true;
}

bool World::run_until(const bool& done, SteadyTime limit) {
  while (!done) {
    if (run_one()) continue;
    if (!advance(limit)) return done;
  }
  return true;
}

void World::trace(std::string_view what, std::string_view detail) {
  ++events_;
  const auto mix = [this](std::string_view text) {
    for (unsigned char c : text) hash_ = (hash_ ^ c) * 1099511628211u;
  };
  const auto ns = now_.time_since_epoch().count();
  mix({reinterpret_cast<const char*>(&ns), sizeof ns});
  mix(what);
  mix(detail);
}

}  // namespace millrace::sim
