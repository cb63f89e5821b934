//===- Npz.cpp - NumPy's .npz: a zip of .npy files -------------------------===//
//
// Reads stored and deflated members through the central directory (also zip64, which
// NumPy writes); writes stored members below 4 GiB.
//
//===----------------------------------------------------------------------===//
#include "core/TensorIo.h"

#include <cstring>
#include <zlib.h>

namespace llmpar::rt {
namespace {

uint64_t littleEndian(std::span<const std::byte> bytes, size_t at, size_t width) {
  uint64_t value = 0;
  for (size_t i = 0; i < width; ++i)
    value |= static_cast<uint64_t>(bytes[at + i]) << (8 * i);
  return value;
}

struct Member {
  std::string name;
  uint64_t method = 0, compressed = 0, size = 0, header = 0;
};

/// Sizes of 0xffffffff are in the extra field 1, in this order.
void applyZip64(std::span<const std::byte> extra, Member &member) {
  for (size_t at = 0; at + 4 <= extra.size();) {
    uint64_t id = littleEndian(extra, at, 2), length = littleEndian(extra, at + 2, 2);
    size_t field = at + 4, end = std::min<size_t>(extra.size(), field + length);
    for (uint64_t *value : {&member.size, &member.compressed, &member.header})
      if (id == 1 && *value == 0xffffffffu && field + 8 <= end) {
        *value = littleEndian(extra, field, 8);
        field += 8;
      }
    at = end;
  }
}

Status inflateMember(std::span<const std::byte> source, size_t size, std::vector<std::byte> &out) {
  if (size / 1100 > source.size()) // deflate's best ratio is 1032
    return Status::invalid("damaged .npz: a member claims " + std::to_string(size) + " bytes");
  out.resize(size);
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
    return Status::internal("zlib does not start");
  int result = Z_OK;
  size_t consumed = 0, produced = 0;
  while (result == Z_OK) {
    size_t in = std::min<size_t>(source.size() - consumed, 1u << 30),
           room = std::min<size_t>(size - produced, 1u << 30);
    stream.next_in = reinterpret_cast<Bytef *>(const_cast<std::byte *>(source.data() + consumed));
    stream.avail_in = static_cast<uInt>(in);
    stream.next_out = reinterpret_cast<Bytef *>(out.data() + produced);
    stream.avail_out = static_cast<uInt>(room);
    result = inflate(&stream, Z_NO_FLUSH);
    consumed += in - stream.avail_in;
    produced += room - stream.avail_out;
    if (result == Z_OK && in == stream.avail_in && room == stream.avail_out)
      break;
  }
  inflateEnd(&stream);
  if (result != Z_STREAM_END || produced != size)
    return Status::invalid("damaged .npz: a member does not inflate to " + std::to_string(size) + " bytes");
  return Status::success();
}

Status readMember(std::span<const std::byte> bytes, const Member &member, std::vector<HostTensor> &tensors) {
  if (member.header > bytes.size() || bytes.size() - member.header < 30 ||
      littleEndian(bytes, member.header, 4) != 0x04034b50)
    return Status::invalid("damaged .npz: no member '" + member.name + "'");
  uint64_t data =
      member.header + 30 + littleEndian(bytes, member.header + 26, 2) + littleEndian(bytes, member.header + 28, 2);
  if (data > bytes.size() || member.compressed > bytes.size() - data)
    return Status::invalid("truncated .npz: member '" + member.name + "'");
  std::span<const std::byte> content = bytes.subspan(data, member.compressed);
  std::vector<std::byte> inflated;
  if (member.method == 8) {
    if (Status status = inflateMember(content, member.size, inflated); !status.ok())
      return status;
    content = inflated;
  } else if (member.method != 0) {
    return Status::invalid("member '" + member.name + "' uses zip method " + std::to_string(member.method));
  }
  HostTensor tensor;
  if (Status status = decodeNpy(content, tensor); !status.ok())
    return Status::invalid("member '" + member.name + "': " + status.message());
  tensor.name = member.name.ends_with(".npy") ? member.name.substr(0, member.name.size() - 4) : member.name;
  tensors.push_back(std::move(tensor));
  return Status::success();
}

} // namespace

Status decodeNpz(std::span<const std::byte> bytes, std::vector<HostTensor> &tensors) {
  constexpr size_t endRecord = 22;
  if (bytes.size() < endRecord)
    return Status::invalid("not an .npz file");
  size_t end = bytes.size() - endRecord;
  while (littleEndian(bytes, end, 4) != 0x06054b50)
    if (end-- == 0 || bytes.size() - end > endRecord + 0xffff)
      return Status::invalid("not an .npz file, or truncated: no zip directory");
  uint64_t count = littleEndian(bytes, end + 10, 2), at = littleEndian(bytes, end + 16, 4);
  for (uint64_t i = 0; i < count; ++i) {
    if (at > bytes.size() || bytes.size() - at < 46 || littleEndian(bytes, at, 4) != 0x02014b50)
      return Status::invalid("damaged .npz directory");
    uint64_t nameLength = littleEndian(bytes, at + 28, 2), extraLength = littleEndian(bytes, at + 30, 2);
    uint64_t total = 46 + nameLength + extraLength + littleEndian(bytes, at + 32, 2);
    if (total > bytes.size() - at)
      return Status::invalid("damaged .npz directory");
    Member member{.name = std::string(reinterpret_cast<const char *>(bytes.data()) + at + 46, nameLength),
                  .method = littleEndian(bytes, at + 10, 2),
                  .compressed = littleEndian(bytes, at + 20, 4),
                  .size = littleEndian(bytes, at + 24, 4),
                  .header = littleEndian(bytes, at + 42, 4)};
    applyZip64(bytes.subspan(at + 46 + nameLength, extraLength), member);
    if (Status status = readMember(bytes, member, tensors); !status.ok())
      return status;
    at += total;
  }
  return Status::success();
}

Status encodeNpz(std::span<const HostTensor> tensors, std::vector<std::byte> &bytes) {
  std::vector<std::byte> directory;
  auto put = [](std::vector<std::byte> &out, uint64_t value, size_t width) {
    for (size_t i = 0; i < width; ++i)
      out.push_back(static_cast<std::byte>(value >> (8 * i)));
  };
  auto putName = [](std::vector<std::byte> &out, const std::string &name) {
    const auto *raw = reinterpret_cast<const std::byte *>(name.data());
    out.insert(out.end(), raw, raw + name.size());
  };
  bytes.clear();
  for (const HostTensor &tensor : tensors) {
    std::string name = tensor.name + ".npy";
    std::vector<std::byte> npy = encodeNpy(tensor);
    uint64_t header = bytes.size();
    if (header + npy.size() >= 0xffffffffu || tensors.size() >= 0xffff)
      return Status::invalid("an .npz above 4 GiB is not supported: write .npy files");
    uint64_t crc = crc32_z(0, reinterpret_cast<const Bytef *>(npy.data()), npy.size());
    auto putCommon = [&](std::vector<std::byte> &out) {
      put(out, 20, 2);         // version needed
      put(out, 0, 2);          // flags
      put(out, 0, 2);          // stored
      put(out, 0x00210000, 4); // 1980-01-01
      put(out, crc, 4);
      put(out, npy.size(), 4);
      put(out, npy.size(), 4);
      put(out, name.size(), 2);
      put(out, 0, 2); // extra
    };
    put(bytes, 0x04034b50, 4);
    putCommon(bytes);
    putName(bytes, name);
    bytes.insert(bytes.end(), npy.begin(), npy.end());
    put(directory, 0x02014b50, 4);
    put(directory, 20, 2); // version made by
    putCommon(directory);
    put(directory, 0, 2); // comment
    put(directory, 0, 2); // disk
    put(directory, 0, 2); // internal attributes
    put(directory, 0, 4); // external attributes
    put(directory, header, 4);
    putName(directory, name);
  }
  uint64_t start = bytes.size();
  bytes.insert(bytes.end(), directory.begin(), directory.end());
  put(bytes, 0x06054b50, 4);
  put(bytes, 0, 4);
  put(bytes, tensors.size(), 2);
  put(bytes, tensors.size(), 2);
  put(bytes, directory.size(), 4);
  put(bytes, start, 4);
  put(bytes, 0, 2);
  return Status::success();
}

} // namespace llmpar::rt
