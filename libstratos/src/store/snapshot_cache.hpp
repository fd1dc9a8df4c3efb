#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "stratos/base/annotations.hpp"
#include "stratos/base/clock.hpp"
#include "stratos/base/waiting.hpp"

namespace stratos::store {

/// Immutable values by key, each for `maxAge` at most, the least recently used ones dropped beyond
/// `capacity`. What is absent is not remembered.
///
/// A key may have a group in front, up to a line feed; a group can be dropped without looking at
/// the others.
///
/// A value that was being loaded while its key was invalidated is handed to its reader, who asked
/// before the change was complete, and not kept.
/// Thread safety: all members may be called concurrently. The clock must outlive it.
template <class Value>
class SnapshotCache {
 public:
  SnapshotCache(const Clock& clock, std::chrono::milliseconds maxAge, std::size_t capacity)
      : clock_(clock), maxAge_(maxAge), capacityPerShard_(capacity / kShards + 1) {}

  /// The value of `key`, from `load` (which gives a std::optional<Value> and may throw) when it is
  /// not here or too old. Null when there is none.
  template <class Load>
  [[nodiscard]] std::shared_ptr<const Value> get(const std::string& key, Load&& load) {
    Shard& shard = shardOf(key);
    std::uint64_t changes = 0;
    {
      const MutexLock lock(shard.mutex);
      if (auto found = find(shard, key)) return found;
      changes = shard.changes;
    }
    // Older than the load, never younger.
    const TimePoint loadedAt = clock_.now();
    std::optional<Value> loaded = runBlocking(load);
    if (!loaded) return nullptr;
    auto value = std::make_shared<const Value>(std::move(*loaded));
    const MutexLock lock(shard.mutex);
    if (shard.changes == changes && maxAge_.count() > 0) keep(shard, key, value, loadedAt);
    return value;
  }

  void invalidate(const std::string& key) {
    Shard& shard = shardOf(key);
    const MutexLock lock(shard.mutex);
    ++shard.changes;
    if (const auto found = shard.entries.find(key); found != shard.entries.end()) {
      remove(shard, found);
    }
  }

  /// Every value whose key is `group`, a line feed and more.
  void invalidateGroup(const std::string& group) {
    const std::string prefix = group + '\n';
    Shard& shard = shardOf(prefix);
    const MutexLock lock(shard.mutex);
    ++shard.changes;
    for (auto it = shard.entries.lower_bound(prefix);
         it != shard.entries.end() && it->first.starts_with(prefix);) {
      remove(shard, it++);
    }
  }

  /// Every value of which `isMeant` is true.
  template <class Predicate>
  void invalidateIf(Predicate&& isMeant) {
    for (Shard& shard : shards_) {
      const MutexLock lock(shard.mutex);
      ++shard.changes;
      removeIf(shard, [&](const Entry& entry) { return isMeant(*entry.value); });
    }
  }

  void clear() {
    invalidateIf([](const Value&) { return true; });
  }

  /// Frees the memory of what has become too old.
  void prune() {
    for (Shard& shard : shards_) {
      const MutexLock lock(shard.mutex);
      removeIf(shard, [&](const Entry& entry) { return isTooOld(entry); });
    }
  }

  [[nodiscard]] std::size_t size() const {
    std::size_t count = 0;
    for (const Shard& shard : shards_) {
      const MutexLock lock(shard.mutex);
      count += shard.entries.size();
    }
    return count;
  }

 private:
  static constexpr std::size_t kShards = 16;

  struct Entry {
    std::shared_ptr<const Value> value;
    TimePoint loadedAt;
    std::list<std::string>::iterator place;
  };
  using Entries = std::map<std::string, Entry>;
  struct Shard {
    mutable Mutex mutex;
    Entries entries STRATOS_GUARDED_BY(mutex);
    std::list<std::string> latestFirst STRATOS_GUARDED_BY(mutex);
    /// Counts invalidations: a load that saw another number must not be kept.
    std::uint64_t changes STRATOS_GUARDED_BY(mutex) = 0;
  };

  Shard& shardOf(const std::string& key) {
    const std::string_view group = std::string_view{key}.substr(0, key.find('\n'));
    return shards_[std::hash<std::string_view>{}(group) % kShards];
  }

  // A clock that was set back says nothing about the age.
  [[nodiscard]] bool isTooOld(const Entry& entry) const {
    const auto age = clock_.now() - entry.loadedAt;
    return age.count() < 0 || age >= maxAge_;
  }

  std::shared_ptr<const Value> find(Shard& shard, const std::string& key)
      STRATOS_REQUIRES(shard.mutex) {
    const auto found = shard.entries.find(key);
    if (found == shard.entries.end()) return nullptr;
    if (isTooOld(found->second)) {
      remove(shard, found);
      return nullptr;
    }
    shard.latestFirst.splice(shard.latestFirst.begin(), shard.latestFirst, found->second.place);
    return found->second.value;
  }

  void keep(Shard& shard, const std::string& key, std::shared_ptr<const Value> value,
            TimePoint loadedAt) STRATOS_REQUIRES(shard.mutex) {
    if (const auto found = shard.entries.find(key); found != shard.entries.end()) {
      remove(shard, found);
    }
    shard.latestFirst.push_front(key);
    shard.entries.emplace(key, Entry{std::move(value), loadedAt, shard.latestFirst.begin()});
    if (shard.entries.size() > capacityPerShard_) {
      remove(shard, shard.entries.find(shard.latestFirst.back()));
    }
  }

  template <class Predicate>
  static void removeIf(Shard& shard, Predicate&& isMeant) STRATOS_REQUIRES(shard.mutex) {
    for (auto it = shard.entries.begin(); it != shard.entries.end();) {
      const auto next = std::next(it);
      if (isMeant(it->second)) remove(shard, it);
      it = next;
    }
  }

  static void remove(Shard& shard, typename Entries::iterator entry) STRATOS_REQUIRES(shard.mutex) {
    shard.latestFirst.erase(entry->second.place);
    shard.entries.erase(entry);
  }

  const Clock& clock_;
  const std::chrono::milliseconds maxAge_;
  const std::size_t capacityPerShard_;
  std::array<Shard, kShards> shards_;
};

}  // namespace stratos::store
