//===- Gzip.cpp - Inflate with zlib -----------------------------------------===//
#include "llmpar/Core/Gzip.h"

#include <algorithm>
#include <zlib.h>

namespace llmpar {

std::optional<std::string> gunzip(llvm::StringRef bytes) {
  z_stream stream = {};
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
    return std::nullopt;
  std::string out, chunk(1 << 20, '\0');
  int status = Z_OK;
  while (status == Z_OK) {
    // zlib counts in 32 bits: input and output go in pieces.
    uInt offered = static_cast<uInt>(std::min<size_t>(bytes.size(), 1 << 30));
    stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(bytes.data()));
    stream.avail_in = offered;
    stream.next_out = reinterpret_cast<Bytef *>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    status = inflate(&stream, Z_NO_FLUSH);
    bytes = bytes.drop_front(offered - stream.avail_in);
    out.append(chunk.data(), chunk.size() - stream.avail_out);
    if (status == Z_STREAM_END && isGzip(bytes)) // another member follows
      status = inflateReset(&stream);
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END)
    return std::nullopt;
  return out;
}

} // namespace llmpar
