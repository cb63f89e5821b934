//===- TokenExchangeTest.cpp - Tokens go to their experts and back ---------===//
//
// dispatch and combine on threads against all_gather and reduce_scatter of the same tensors: the same
// rows where a token is routed to the member, and zeros (or nothing added) elsewhere.
//
//===----------------------------------------------------------------------===//
#include "comm/Communicator.h"

#include <gtest/gtest.h>
#include <thread>

namespace llmpar::rt {
namespace {

/// Floats of two tokens of width 2 for each of three members, in [1, tokens, 2].
struct Member {
  std::vector<float> x, routing, y;
};

TensorView viewOf(std::vector<float> &data, int64_t rows, int64_t columns) {
  TensorView view;
  view.data = data.data();
  view.rank = 3;
  view.dims = {1, rows, columns};
  return view;
}

struct Call {
  KernelId kernel;
  std::vector<int64_t> extents; ///< tokens of each member
  int64_t width = 2;
};

/// Member i has experts[i] experts.
void runOnAll(const Call &call, std::vector<Member> &members, const std::vector<int64_t> &experts) {
  auto n = static_cast<uint32_t>(members.size());
  std::unique_ptr<World> world = makeThreadWorld(n);
  int64_t total = 0;
  for (int64_t extent : call.extents)
    total += extent;
  std::vector<uint32_t> group;
  std::vector<int64_t> ints{1};
  for (uint32_t i = 0; i < n; ++i) {
    group.push_back(i);
    ints.push_back(call.extents[i]);
  }
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < n; ++i)
    threads.emplace_back([&, i] {
      bool gathers = call.kernel == KernelId::dispatch;
      int64_t own = call.extents[i];
      CollectiveCall mine{.kernel = call.kernel,
                          .group = group,
                          .x = viewOf(members[i].x, gathers ? own : total, call.width),
                          .y = viewOf(members[i].y, gathers ? total : own, call.width),
                          .routing = viewOf(members[i].routing, total, experts[i]),
                          .ints = ints};
      std::unique_ptr<Thunk> thunk;
      Status status = world->communicator(i).prepare(mine, thunk);
      ASSERT_TRUE(status.ok()) << status.message();
      status = thunk->run();
      EXPECT_TRUE(status.ok()) << status.message();
    });
  for (std::thread &thread : threads)
    thread.join();
}

TEST(Dispatch, OnlyTokensThatAnExpertHereTakesArrive) {
  std::vector<Member> members(3);
  members[0] = {.x = {1, 2, 3, 4}, .routing = {0, 1, 0, 0, .5f, .5f}, .y = std::vector<float>(6, 99)}; // two experts
  members[1] = {.x = {5, 6}, .routing = {0, 1, 0}, .y = std::vector<float>(6, 99)};                    // one
  members[2] = {.x = {}, .routing = {}, .y = std::vector<float>(6, 99)};                               // none
  runOnAll({.kernel = KernelId::dispatch, .extents = {2, 1, 0}}, members, {2, 1, 0});
  EXPECT_EQ(members[0].y, (std::vector<float>{1, 2, 0, 0, 5, 6}));
  EXPECT_EQ(members[1].y, (std::vector<float>{0, 0, 3, 4, 0, 0}));
  EXPECT_EQ(members[2].y, std::vector<float>(6, 0));
}

TEST(Combine, OnlyMembersWhoseExpertsTookATokenAddToIt) {
  std::vector<Member> members(3);
  // Rows without routing hold what must not be read as a part of the sum.
  members[0] = {.x = {1, 2, 77, 77, 5, 6}, .routing = {0, 1, 0, 0, .5f, .5f}, .y = std::vector<float>(4, 99)};
  members[1] = {.x = {10, 20, 30, 40, 77, 77}, .routing = {1, 1, 0}, .y = std::vector<float>(2, 99)};
  members[2] = {.x = std::vector<float>(6, 77), .routing = {}, .y = {}};
  runOnAll({.kernel = KernelId::combine, .extents = {2, 1, 0}}, members, {2, 1, 0});
  EXPECT_EQ(members[0].y, (std::vector<float>{11, 22, 30, 40}));
  EXPECT_EQ(members[1].y, (std::vector<float>{5, 6}));
}

TEST(Combine, ATokenOfNoExpertIsZero) {
  std::vector<Member> members(2);
  for (Member &member : members)
    member = {.x = std::vector<float>(4, 77), .routing = {0, 0}, .y = std::vector<float>(2, 99)};
  runOnAll({.kernel = KernelId::combine, .extents = {1, 1}}, members, {1, 1});
  EXPECT_EQ(members[0].y, (std::vector<float>{0, 0}));
  EXPECT_EQ(members[1].y, (std::vector<float>{0, 0}));
}

TEST(Dispatch, CallsThatHaveNoMeaningAreRefused) {
  std::vector<float> x(2), y(4), routing(4);
  std::vector<uint32_t> group{0, 1};
  std::vector<int64_t> ints{1, 1, 1};
  auto message = [&](const TensorView &weights, std::vector<int64_t> attributes) {
    return checkCollective({.kernel = KernelId::dispatch, .group = group, .x = viewOf(x, 1, 2), .y = viewOf(y, 2, 2), .routing = weights, .ints = attributes}, 0)
        .message();
  };
  EXPECT_EQ(message(viewOf(routing, 2, 2), ints), "");
  EXPECT_EQ(message(viewOf(routing, 1, 2), ints), "routing is 1x1x2xf32, not of the tokens of 1x2x2xf32");
  EXPECT_EQ(message(viewOf(routing, 2, 2), {2, 1, 1}), "1x1x2xf32 exchanged to 1x2x2xf32 along dimension 2");
  EXPECT_EQ(message(viewOf(y, 2, 2), ints), "input and output overlap");
}

} // namespace
} // namespace llmpar::rt
