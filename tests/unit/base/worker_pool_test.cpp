#include "stratos/base/worker_pool.hpp"

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace stratos {
namespace {

TEST(WorkerPoolTest, OneThreadRunsTasksInOrder) {
  std::vector<int> order;
  {
    WorkerPool pool(1);
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(pool.trySubmit([&order, i] { order.push_back(i); }));
    }
  }
  ASSERT_EQ(order.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(WorkerPoolTest, RunsAsManyTasksAtOnceAsItHasThreads) {
  WorkerPool pool(3);
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  std::vector<std::promise<void>> started(3);
  for (auto& promise : started) {
    ASSERT_TRUE(pool.trySubmit([&promise, released] {
      promise.set_value();
      released.wait();
    }));
  }
  for (auto& promise : started) promise.get_future().wait();
  EXPECT_EQ(pool.busyThreads(), 3U);
  release.set_value();
}

TEST(WorkerPoolTest, RefusesWhatExceedsTheQueue) {
  WorkerPool pool(1, 1);
  std::promise<void> release;
  std::promise<void> started;
  std::atomic<int> ran{0};
  ASSERT_TRUE(pool.trySubmit([&] {
    started.set_value();
    release.get_future().wait();
  }));
  started.get_future().wait();
  EXPECT_TRUE(pool.trySubmit([&ran] { ++ran; }));
  EXPECT_FALSE(pool.trySubmit([&ran] { ran += 10; }));
  release.set_value();
  std::promise<void> done;
  while (!pool.trySubmit([&done] { done.set_value(); })) std::this_thread::yield();
  done.get_future().wait();
  EXPECT_EQ(ran, 1);
}

TEST(WorkerPoolTest, TheDestructorRunsWhatIsQueued) {
  std::atomic<int> ran{0};
  {
    WorkerPool pool(4);
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(pool.trySubmit([&ran] { ++ran; }));
  }
  EXPECT_EQ(ran, 1000);
}

}  // namespace
}  // namespace stratos
