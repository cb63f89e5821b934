//===- ArrayPool.cpp - Equal arrays once, equal steps once -----------------===//
#include "ArrayPool.h"

#include "llmpar/Planner/PlanProblem.h"
#include "llvm/ADT/STLExtras.h"

namespace llmpar {

InternedArray::InternedArray(std::vector<int64_t> values)
    : std::vector<int64_t>(std::move(values)), forbids(llvm::any_of(*this, [](int64_t number) { return number >= kForbidden; })) {}

static uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15;
  return hash ^ hash >> 32;
}

template <typename IsEntry> int32_t *ArrayPool::Index::find(uint64_t hash, IsEntry isEntry) {
  for (size_t mask = places.size() - 1, at = hash & mask;; at = (at + 1) & mask)
    if (places[at] < 0 || isEntry(places[at]))
      return &places[at];
}

/// For one more entry: half of the places stay empty.
template <typename HashOf> void ArrayPool::Index::makeRoom(HashOf hashOf) {
  if (++used * 2 <= places.size())
    return;
  std::vector<int32_t> old(places.size() * 2, -1);
  old.swap(places);
  for (int32_t place : old)
    if (place >= 0)
      *find(hashOf(place), [](int32_t) { return false; }) = place;
}

Numbers ArrayPool::intern(std::vector<int64_t> values) {
  uint64_t hash = values.size();
  for (int64_t value : values)
    hash = mix(hash, value);
  arrayIndex.makeRoom([&](int32_t place) { return arrays[place].first; });
  int32_t *place = arrayIndex.find(hash, [&](int32_t at) {
    return arrays[at].first == hash && static_cast<const std::vector<int64_t> &>(*arrays[at].second) == values;
  });
  if (*place >= 0) {
    --arrayIndex.used;
    return arrays[*place].second;
  }
  *place = static_cast<int32_t>(arrays.size());
  numbers += values.size() + 8;
  return arrays.emplace_back(hash, new InternedArray(std::move(values))).second;
}

const Made &ArrayPool::once(Step step, llvm::ArrayRef<Input> of, llvm::function_ref<Made()> make) {
  uint64_t hash = static_cast<uint64_t>(step);
  for (Input input : of)
    hash = mix(hash, input.bits);
  auto find = [&] {
    return knownIndex.find(hash, [&](int32_t at) {
      const Known &entry = known[at];
      return entry.hash == hash && entry.count == of.size() + 1 && inputs[entry.begin] == static_cast<uint64_t>(step) &&
             std::equal(of.begin(), of.end(), inputs.begin() + entry.begin + 1, [](Input a, uint64_t b) { return a.bits == b; });
    });
  };
  if (int32_t place = *find(); place >= 0)
    return known[place].made;
  Made made = make(); // may remember steps of its own
  knownIndex.makeRoom([&](int32_t place) { return known[place].hash; });
  *find() = static_cast<int32_t>(known.size());
  known.push_back({.hash = hash, .begin = inputs.size(), .count = of.size() + 1, .made = std::move(made)});
  inputs.push_back(static_cast<uint64_t>(step));
  for (Input input : of)
    inputs.push_back(input.bits);
  return known.back().made;
}

void ArrayPool::trim() {
  if (numbers + inputs.size() < limit)
    return;
  known.clear();
  inputs.clear();
  knownIndex = arrayIndex = {};
  llvm::erase_if(arrays, [](const auto &entry) { return entry.second->UseCount() == 1; });
  numbers = 0;
  for (size_t place = 0; place < arrays.size(); ++place) {
    arrayIndex.makeRoom([&](int32_t at) { return arrays[at].first; });
    *arrayIndex.find(arrays[place].first, [](int32_t) { return false; }) = static_cast<int32_t>(place);
    numbers += arrays[place].second->size() + 8;
  }
  limit = std::max(limit, 2 * numbers);
}

} // namespace llmpar
