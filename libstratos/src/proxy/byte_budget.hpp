#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace stratos::proxy {

/// Memory that many share. Thread safety: all members may be called concurrently.
class ByteBudget {
 public:
  explicit ByteBudget(std::size_t bytes)
      : left_(std::make_shared<std::atomic<std::size_t>>(bytes)) {}

  /// A part of it, which is given back when it dies; it may outlive the budget, as an answer may
  /// its maker. A value of one thread at a time.
  class Share {
   public:
    explicit Share(const ByteBudget& budget) noexcept : left_(budget.left_) {}
    Share(Share&& other) noexcept
        : left_(std::move(other.left_)), bytes_(std::exchange(other.bytes_, 0)) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(left_, other.left_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Share() {
      if (left_) *left_ += bytes_;
    }

    /// Makes it larger; false when there is not that much left.
    [[nodiscard]] bool tryGrow(std::size_t bytes) noexcept {
      std::size_t left = *left_;
      do {
        if (left < bytes) return false;
      } while (!left_->compare_exchange_weak(left, left - bytes));
      bytes_ += bytes;
      return true;
    }

   private:
    std::shared_ptr<std::atomic<std::size_t>> left_;  ///< Null in what was moved from.
    std::size_t bytes_ = 0;
  };

 private:
  std::shared_ptr<std::atomic<std::size_t>> left_;
};

}  // namespace stratos::proxy
