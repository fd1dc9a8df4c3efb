#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace stratos::proxy {

/// Memory that many share. Thread safety: all members may be called concurrently.
class ByteBudget {
 public:
  explicit ByteBudget(std::size_t bytes) : left_(bytes) {}

  /// A part of it, which is given back when it dies. Must not outlive the budget. A value of one
  /// thread at a time.
  class Share {
   public:
    explicit Share(ByteBudget& budget) noexcept : budget_(&budget) {}
    Share(Share&& other) noexcept
        : budget_(other.budget_), bytes_(std::exchange(other.bytes_, 0)) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Share() { budget_->left_ += bytes_; }

    /// Makes it larger; false when there is not that much left.
    [[nodiscard]] bool tryGrow(std::size_t bytes) noexcept {
      std::size_t left = budget_->left_;
      do {
        if (left < bytes) return false;
      } while (!budget_->left_.compare_exchange_weak(left, left - bytes));
      bytes_ += bytes;
      return true;
    }

   private:
    ByteBudget* budget_;
    std::size_t bytes_ = 0;
  };

  [[nodiscard]] std::size_t left() const noexcept { return left_; }

 private:
  std::atomic<std::size_t> left_;
};

}  // namespace stratos::proxy
